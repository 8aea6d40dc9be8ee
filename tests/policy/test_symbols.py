"""Symbols that carriers garble."""

import pytest

from gateway.policy.candidate import Candidate
from gateway.policy.settings import ContentSettings
from gateway.policy.symbols import TAG, SymbolStage
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import ABROAD, a_candidate

DEFAULTS = ContentSettings()
STAGE = SymbolStage(DEFAULTS.refused_symbols, DEFAULTS.tagged_symbols)


def decide(text: str, stage: SymbolStage = STAGE, **fields) -> tuple[Refusal | None, Candidate]:
    candidate = a_candidate(text=text, **fields)
    return stage.decide(candidate, now=0.0), candidate


@pytest.mark.parametrize("symbol", DEFAULTS.refused_symbols)
def test_a_garbled_symbol_is_refused_with_its_positions(symbol: str):
    refusal, _ = decide(f"停水{symbol}通知{symbol}")
    assert refusal is not None
    assert refusal.reason is Reason.FORBIDDEN_SYMBOL
    assert refusal.data == {"symbols": [{"symbol": symbol, "positions": [2, 4 + len(symbol)]}]}


def test_all_of_them_are_told_at_once_and_not_without_end():
    refusal, _ = decide("★√" * 100)
    assert refusal is not None
    assert [(each["symbol"], len(each["positions"])) for each in refusal.data["symbols"]] == [("★", 20), ("√", 20)]


@pytest.mark.parametrize("symbol", DEFAULTS.tagged_symbols)
def test_a_symbol_of_bills_and_links_is_counted_only(symbol: str):
    refusal, candidate = decide(f"水费{symbol}32.50")
    assert (refusal, candidate.tags) == (None, (TAG,))


@pytest.mark.parametrize("text", ["水费32.50元", "x ^ y", "a_b^c", ""])
def test_the_beginning_of_a_longer_symbol_is_none(text: str):
    refusal, candidate = decide(text)
    assert (refusal, candidate.tags) == (None, ())


def test_abroad_every_symbol_may_go():
    assert decide("★", to=ABROAD)[0] is None


def test_symbols_that_mean_something_in_a_pattern_are_taken_as_they_are():
    stage = SymbolStage(["]", "-", "\\", "[a-z]"], ["^", "."])
    assert [decide(text, stage)[0] is None for text in ("]", "-", "\\", "[a-z]", "b", "[")] == [False] * 4 + [True] * 2
    assert decide("^", stage)[1].tags == (TAG,)
    assert decide("anything", SymbolStage([], []))[0] is None
