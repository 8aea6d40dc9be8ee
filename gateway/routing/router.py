"""Which carriers may take a message, best first.

The first route that matches decides; of its carriers those stay that reach the network and have filed the signature.
Being down or paused does not remove a carrier here: that is looked at again when the message is handed over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import Category
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.consent import Suppressed
from gateway.policy.verdict import Reason, Refusal

KNOWN_LIMIT: Final = 10_000  # answers remembered; accounts without registered signatures could make any number


class CarrierReach(msgspec.Struct, frozen=True, kw_only=True):
    """What routing needs to know of a carrier."""

    name: str
    networks: frozenset[Network] = frozenset()  # whose subscribers it reaches; empty: everyone's
    signatures: frozenset[str] | None = None  # filed with it; None: any

    def takes(self, candidate: Candidate) -> str | None:
        """None when it may take the message; else why not, for `explain`."""
        if self.networks and candidate.network not in self.networks and candidate.network is not Network.UNKNOWN:
            return "does not reach the network"
        if self.signatures is not None and candidate.signature and candidate.signature not in self.signatures:
            return "has not filed the signature"
        return None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: messages that fit all of its conditions go by these carriers. An empty condition fits everything."""

    carriers: tuple[str, ...]  # in order of preference
    categories: frozenset[Category] = frozenset()
    accounts: frozenset[str] = frozenset()
    networks: frozenset[Network] = frozenset()
    prefixes: tuple[str, ...] = ()  # of the E.164 number, with its plus
    signatures: frozenset[str] = frozenset()
    next_when_refused: bool = False  # what a carrier refuses for good goes by the next one

    def matches(self, candidate: Candidate) -> bool:
        return (
            (not self.categories or candidate.draft.category in self.categories)
            and (not self.networks or candidate.network in self.networks)
            and (not self.accounts or candidate.account.name in self.accounts)
            and (not self.signatures or candidate.signature in self.signatures)
            and (not self.prefixes or candidate.to.startswith(self.prefixes))
        )


class RouteView(msgspec.Struct, frozen=True):
    """One carrier in an explanation. `rank`: its place among those that may take the message; None: it may not."""

    carrier: str
    rank: int | None
    usable: bool  # it may take the message, and is up
    reason: str


class Router:
    """Ranks the carriers for a message. No route configured: every carrier, in the order of the config."""

    def __init__(
        self,
        carriers: Sequence[CarrierReach],
        routes: Sequence[Route],
        suppressed: Suppressed | None = None,
    ) -> None:
        """`suppressed`: whom a carrier has blacklisted; it is left out for them."""
        self._carriers: Mapping[str, CarrierReach] = {carrier.name: carrier for carrier in carriers}
        self._routes = tuple(routes) or (Route(carriers=tuple(self._carriers)),)
        # Without prefixes the answer depends on little, and is the same for nearly every message.
        self._by_prefix = any(route.prefixes for route in self._routes)
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self._known: dict[tuple[str, Category, Network, str], tuple[str, ...]] = {}

    def rank(self, candidate: Candidate) -> tuple[str, ...]:
        """The carriers that may take it, best first; empty when none may."""
        ranked = self._rank(candidate) if self._by_prefix else self._rank_once(candidate)
        return self._without_suppressed(candidate, ranked) if self._suppressed else ranked

    def refusal(self, candidate: Candidate) -> Refusal:
        """Why no carrier is left."""
        return blacklisted(candidate) if self._suppressed and self._rank(candidate) else unroutable(candidate)

    def _rank_once(self, candidate: Candidate) -> tuple[str, ...]:
        draft = candidate.draft
        key = (candidate.account.name, draft.category, candidate.network, candidate.signature)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            known = self._known[key] = self._rank(candidate)
        return known

    def explain(self, candidate: Candidate, *, is_up: Callable[[str], bool]) -> list[RouteView]:
        """Every carrier, those that may take the message first and in their order, with the reason for each."""
        reaching = self._rank(candidate)
        ranked = sorted(self._without_suppressed(candidate, reaching), key=is_up, reverse=True)
        views = [
            RouteView(name, rank, is_up(name), "takes it" if is_up(name) else "takes it, and is down")
            for rank, name in enumerate(ranked, 1)
        ]
        route = self._route_of(candidate)
        for name, carrier in self._carriers.items():
            if name in ranked:
                continue
            if name in reaching:
                reason = "has blacklisted the number"
            elif route is None:
                reason = "no route matches the message"
            elif name not in route.carriers:
                reason = "is not in the route that matches"
            else:
                reason = carrier.takes(candidate) or ""
            views.append(RouteView(name, None, False, reason))
        return views

    def _without_suppressed(self, candidate: Candidate, ranked: tuple[str, ...]) -> tuple[str, ...]:
        number, suppressed = candidate.to, self._suppressed
        return tuple([name for name in ranked if not suppressed.has(name, number)])

    def goes_on_when_refused(self, candidate: Candidate) -> bool:
        """Whether it goes by its next carrier when one has refused it for good."""
        route = self._route_of(candidate)
        return route is not None and route.next_when_refused

    def _rank(self, candidate: Candidate) -> tuple[str, ...]:
        route = self._route_of(candidate)
        if route is None:
            return ()
        carriers = self._carriers
        return tuple([name for name in route.carriers if carriers[name].takes(candidate) is None])

    def _route_of(self, candidate: Candidate) -> Route | None:
        return next((route for route in self._routes if route.matches(candidate)), None)


def blacklisted(candidate: Candidate) -> Refusal:
    """Every carrier that would take it has blacklisted the number."""
    return Refusal(
        Reason.OPTED_OUT,
        f"Every carrier that reaches network {candidate.network} for this message has blacklisted its receiver.",
        {"network": str(candidate.network)},
        chinese=f"可到达网络 {candidate.network} 的运营商通道均已将接收方列入黑名单。",
    )


def unroutable(candidate: Candidate) -> Refusal:
    """No configured carrier takes it."""
    return Refusal(
        Reason.UNROUTABLE,
        f"No configured carrier reaches network {candidate.network} for this message.",
        {"network": str(candidate.network)},
        chinese=f"没有配置可到达网络 {candidate.network} 的运营商通道。",
    )
