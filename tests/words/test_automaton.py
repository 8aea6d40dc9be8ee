"""Both libraries find the same, and only one is there on some machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.words.automaton import HAS_DAACHORSE, pack, unpack

octets = st.binary(min_size=1, max_size=4).map(lambda value: bytes(each & 3 for each in value))


@given(st.lists(octets, max_size=12), st.binary(max_size=40).map(lambda value: bytes(each & 3 for each in value)))
def test_every_occurrence_is_found_by_either(patterns: list[bytes], haystack: bytes):
    expected = sorted(
        (start, start + len(pattern), number)
        for number, pattern in enumerate(patterns)
        for start in range(len(haystack))
        if haystack.startswith(pattern, start)
    )
    for with_daachorse in {False, HAS_DAACHORSE}:
        automaton = unpack(pack(patterns, with_daachorse=with_daachorse), with_daachorse=with_daachorse)
        assert sorted(automaton.find_overlapping(haystack)) == expected


def test_what_was_not_packed_is_refused():
    with pytest.raises(ValueError, match="invalid"):
        unpack(b"no automaton")
