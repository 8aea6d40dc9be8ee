"""Ports that receipts told of: kept for as long as a subscriber must stay in a network, the oldest go first."""

from collections import OrderedDict
from collections.abc import Iterator

from gateway.message import Milliseconds
from gateway.numbers import Network


class LearnedPorts:
    """At most `limit` numbers, each for `keep_milliseconds`."""

    def __init__(self, *, limit: int, keep_milliseconds: Milliseconds) -> None:
        self._limit = limit
        self._keep = keep_milliseconds
        self._ports: OrderedDict[str, tuple[Network, Milliseconds]] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._ports)

    def get(self, e164: str) -> Network | None:
        port = self._ports.get(e164)
        return port[0] if port is not None else None

    def items(self) -> Iterator[tuple[str, Network, Milliseconds]]:
        """(number, network, when it was learned), oldest first."""
        for e164, (network, at) in self._ports.items():
            yield e164, network, at

    def learn(self, e164: str, network: Network, *, at: Milliseconds) -> list[str]:
        """A receipt said that this network serves the number; return the numbers that must make room."""
        self._ports[e164] = (network, at)
        self._ports.move_to_end(e164)
        dropped = []
        while len(self._ports) > self._limit:
            dropped.append(self._ports.popitem(last=False)[0])
        return dropped

    def expire(self, *, now: Milliseconds) -> list[str]:
        """Forget, and return, what was learned too long ago: the subscriber may be elsewhere by now."""
        expired = []
        while self._ports:
            e164, (_, at) = next(iter(self._ports.items()))
            if at + self._keep > now:
                break
            del self._ports[e164]
            expired.append(e164)
        return expired
