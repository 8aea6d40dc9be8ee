"""Numbers that a carrier takes nothing more for, for a while: its receipts said that its own cap is full."""

from collections import OrderedDict
from typing import Final

from gateway.message import Milliseconds

LIMIT: Final = 100_000  # (carrier, number), about 200 bytes each


class Resting:
    """What was learned of carriers' caps. In memory: after a restart it is learned again, at the price of a message."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._until: OrderedDict[tuple[str, str], Milliseconds] = OrderedDict()  # in the order of learning

    def __len__(self) -> int:
        return len(self._until)

    def add(self, carrier: str, number: str, *, until: Milliseconds) -> None:
        """The carrier takes nothing for the number until then."""
        key = (carrier, number)
        self._until[key] = max(until, self._until.pop(key, 0))
        if len(self._until) > self._limit:
            self._until.popitem(last=False)

    def rests(self, carrier: str, number: str, *, now: Milliseconds) -> bool:
        """Whether that time has not come."""
        key = (carrier, number)
        until = self._until.get(key)
        if until is None:
            return False
        if now < until:
            return True
        del self._until[key]
        return False
