"""The ranking of this moment for messages accepted before: what delivery asks when one changes its carrier."""

from collections.abc import Mapping

from gateway.account import Account
from gateway.message import Message
from gateway.policy.candidate import Candidate, candidate_of
from gateway.routing.router import Router


class Ranking:
    """Routes as they are now, asked with a message instead of a draft. `accounts`: the configured ones, by name."""

    def __init__(self, router: Router, accounts: Mapping[str, Account]) -> None:
        self._router = router
        self._accounts = accounts

    def rank(self, message: Message) -> tuple[str, ...]:
        """The carriers that may take it, best first.

        A message was accepted for its candidates of then: they hold when the routes of now have none for it.
        """
        return self._router.rank(self._candidate(message)) or message.carriers

    def goes_on_when_refused(self, message: Message) -> bool:
        """Whether its route sends it by the next carrier when one has refused it for good."""
        return self._router.goes_on_when_refused(self._candidate(message))

    def _candidate(self, message: Message) -> Candidate:
        return candidate_of(message, self._accounts.get(message.account) or Account(name=message.account))
