"""The ranking of this moment for messages accepted before: what delivery asks when one changes its carrier."""

from collections.abc import Callable, Mapping

from gateway.account import Account
from gateway.message import Message, Milliseconds
from gateway.numbers import Network
from gateway.policy.candidate import Candidate, candidate_of
from gateway.routing.router import Router


class Ranking:
    """Routes as they are now, asked with a message instead of a draft."""

    def __init__(
        self,
        router: Router,
        accounts: Mapping[str, Account],
        network_of: Callable[[str], Network],
        clock: Callable[[], Milliseconds],
    ) -> None:
        """`accounts`: the configured ones, by name. `network_of`: who serves a number now. `clock`: the wall clock."""
        self._router = router
        self._accounts = accounts
        self._network_of = network_of
        self._clock = clock

    def rank(self, message: Message) -> tuple[str, ...]:
        """The carriers that may take it, best first.

        A message was accepted for its candidates of then: they hold when the routes of now have none for it, but for
        those that have blacklisted its receiver since.
        """
        candidate = self._candidate(message)
        ranked = self._router.rank(candidate, now=self._clock())
        return ranked or self._router.without_suppressed(candidate, message.carriers)

    def goes_on_when_refused(self, message: Message) -> bool:
        """Whether its route sends it by the next carrier when one has refused it for good."""
        return self._router.goes_on_when_refused(self._candidate(message), now=self._clock())

    def _candidate(self, message: Message) -> Candidate:
        candidate = candidate_of(message, self._accounts.get(message.account) or Account(name=message.account))
        candidate.network = self._network_of(message.to)
        return candidate
