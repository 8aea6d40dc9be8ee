"""What receipts teach, passed on to those who decide about the next message: networks, blacklists, caps, quality."""

from collections.abc import Callable

from gateway.message import Milliseconds
from gateway.numbers import Network
from gateway.ports import Ports
from gateway.routing.router import Router
from gateway.suppression import Suppressions


class Learning:
    """Hears of receipts from delivery, which knows nothing of those it is told for."""

    def __init__(
        self, ports: Ports, suppressions: Suppressions, router: Router, clock: Callable[[], Milliseconds]
    ) -> None:
        """`clock`: the wall clock."""
        self._ports = ports
        self._suppressions = suppressions
        self._router = router
        self._clock = clock

    def ported(self, number: str, network: str) -> None:
        """This network serves the number now."""
        self._ports.learn(number, Network(network))

    def suppress(self, carrier: str, number: str, code: str) -> None:
        """The carrier will never deliver to the number."""
        self._suppressions.suppress(carrier, number, reason=code)

    def rest(self, carrier: str, number: str, seconds: float) -> None:
        """The carrier takes nothing more for the number for so long."""
        self._router.resting.add(carrier, number, until=self._clock() + round(seconds * 1_000))

    def outcome(self, carrier: str, network: str, *, delivered: bool, seconds: float) -> None:
        """A receipt came so long after the hand-over."""
        self._router.quality.note(carrier, network, delivered=delivered, seconds=seconds, now=self._clock())
