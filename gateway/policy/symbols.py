"""Symbols that carriers garble: some are refused, others, which bills and links have, only tagged. Mainland only."""

import re
from collections.abc import Sequence
from typing import Final

from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

TAG: Final = "symbols"  # of a message with a symbol of the second kind
_MAXIMUM_POSITIONS: Final = 20  # told of one symbol


class SymbolStage:
    """Refuse texts with a symbol of the first kind, with all of these and their positions; tag those of the second."""

    name = "symbols"

    def __init__(self, refused: Sequence[str], tagged: Sequence[str]) -> None:
        self._refused = _any_of(refused)
        self._tagged = _any_of(tagged)
        # Nearly every text has none: to look for their first characters alone takes a third of the time.
        self._first = _any_of(sorted({symbol[0] for symbol in (*refused, *tagged)}))

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        assert candidate.number is not None
        text = candidate.draft.text
        if self._first is None or self._first.search(text) is None or not candidate.number.mainland:
            return None
        found: dict[str, list[int]] = {}
        if self._refused is not None:
            for match in self._refused.finditer(text):
                positions = found.setdefault(match[0], [])
                if len(positions) < _MAXIMUM_POSITIONS:
                    positions.append(match.start())
        if not found:
            if self._tagged is not None and self._tagged.search(text) is not None:
                candidate.tags = (*candidate.tags, TAG)
            return None
        symbols = " ".join(found)
        return Refusal(
            Reason.FORBIDDEN_SYMBOL,
            f"Carriers garble {symbols}: write it in words.",
            {"symbols": [{"symbol": symbol, "positions": positions} for symbol, positions in found.items()]},
            chinese=f"运营商网络会使 {symbols} 变成乱码，请改用文字。",
        )


def _any_of(symbols: Sequence[str]) -> re.Pattern[str] | None:
    if not symbols:
        return None
    alone = "".join(re.escape(symbol) for symbol in symbols if len(symbol) == 1)
    longer = sorted((symbol for symbol in symbols if len(symbol) > 1), key=len, reverse=True)
    alternatives = [re.escape(symbol) for symbol in longer] + ([f"[{alone}]"] if alone else [])
    return re.compile("|".join(alternatives))
