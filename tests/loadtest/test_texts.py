import random
from collections.abc import Callable

import pytest

from gateway.text import count_parts
from loadtest import texts

MADE = 3000  # of each kind: every template with many fillings


def make(kind: Callable[[random.Random], str]) -> list[str]:
    source = random.Random(20_261_122)
    return [texts.SIGNATURE + kind(source) for _ in range(MADE)]


@pytest.mark.parametrize(("kind", "parts"), [(texts.notice, 1), (texts.long_notice, 2), (texts.code, 1)])
def test_every_text_makes_the_parts_that_its_kind_promises(kind, parts):
    assert {count_parts(text) for text in make(kind)} == {parts}


def test_notices_of_one_part_are_as_long_as_real_ones():
    lengths = [len(text) for text in make(texts.notice)]
    assert min(lengths) >= 50
    assert 55 <= sum(lengths) / len(lengths) <= 66


def test_texts_are_the_same_for_the_same_source_and_differ_among_each_other():
    assert make(texts.notice) == make(texts.notice)
    assert len(set(make(texts.notice))) > MADE * 0.9


def test_nothing_is_left_unfilled():
    assert not any(
        "{" in text or "}" in text for kind in (texts.notice, texts.long_notice, texts.code) for text in make(kind)
    )
