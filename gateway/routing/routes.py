"""Routes and carriers as routing sees them: which messages a route is for, and what a carrier takes."""

import msgspec

from gateway.message import Category
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.windows import Windows
from gateway.routing.strategies import Strategy


class CarrierReach(msgspec.Struct, frozen=True, kw_only=True):
    """What routing needs to know of a carrier."""

    name: str
    networks: frozenset[Network] = frozenset()  # whose subscribers it reaches; empty: everyone's
    signatures: frozenset[str] | None = None  # filed with it; None: any
    price: float | None = None  # of a segment, in whatever currency all of them are

    def reaches(self, candidate: Candidate) -> bool:
        """Whether it reaches the network of the number; any may be that of a number in no row of the plan."""
        return not self.networks or candidate.network in self.networks or candidate.network is Network.UNKNOWN

    def takes(self, candidate: Candidate) -> str | None:
        """None when it may take the message; else why not, for `explain`."""
        if not self.reaches(candidate):
            return "does not reach the network"
        if self.signatures is not None and candidate.signature and candidate.signature not in self.signatures:
            return "has not filed the signature"
        return None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: messages that fit all of its conditions go by these carriers. An empty condition fits everything."""

    carriers: tuple[str, ...]  # in order of preference
    strategy: Strategy = Strategy.ORDERED
    weights: tuple[int, ...] = ()  # of the carriers, for WEIGHTED; empty: all the same
    categories: frozenset[Category] = frozenset()
    accounts: frozenset[str] = frozenset()
    networks: frozenset[Network] = frozenset()
    prefixes: tuple[str, ...] = ()  # of the E.164 number, with its plus
    signatures: frozenset[str] = frozenset()
    hours: Windows | None = None  # when it is one at all; None: always
    next_when_refused: bool = False  # what a carrier refuses for good goes by the next one

    def matches(self, candidate: Candidate) -> bool:
        """Whether it is for this message, in its hours."""
        return (
            (not self.categories or candidate.draft.category in self.categories)
            and (not self.networks or candidate.network in self.networks)
            and (not self.accounts or candidate.account.name in self.accounts)
            and (not self.signatures or candidate.signature in self.signatures)
            and (not self.prefixes or candidate.to.startswith(self.prefixes))
        )

    def weight_of(self, carrier: str) -> int:
        """How many of the numbers go by a carrier, against the others."""
        return self.weights[self.carriers.index(carrier)] if self.weights else 1


class RouteView(msgspec.Struct, frozen=True):
    """One carrier in an explanation. `rank`: its place among those that may take the message; None: it may not."""

    carrier: str
    rank: int | None
    usable: bool  # it may take the message, and is up
    reason: str
