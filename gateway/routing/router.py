"""Which carriers may take a message, best first.

The first route that matches decides; of its carriers those stay that reach the network, have filed the signature and
have not blacklisted the number; its strategy puts them in order. Being down or paused does not remove a carrier here:
that is looked at again when the message is handed over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, assert_never

import msgspec

from gateway.message import Category, Milliseconds
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.consent import Suppressed
from gateway.policy.hours import Hours
from gateway.policy.verdict import Reason, Refusal
from gateway.routing.quality import QualityBook
from gateway.routing.resting import Resting
from gateway.routing.routes import CarrierReach, Route, RouteView
from gateway.routing.strategies import Strategy, by_price, by_quality, by_weight

KNOWN_LIMIT: Final = 10_000  # answers remembered; accounts without registered signatures could make any number
QUALITY_MINUTES: Final = 10
QUALITY_LEAST_RECEIPTS: Final = 50


class _Leg(msgspec.Struct, frozen=True):
    """The route of a message, and those of its carriers that would take it, as listed."""

    route: Route
    carriers: tuple[str, ...]
    weights: tuple[int, ...]


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
        self._routes = [
            (route, None if route.hours is None else Hours(route.hours))
            for route in tuple(routes) or (Route(carriers=tuple(self._carriers)),)
        ]
        # Without prefixes and hours the answer depends on little, and is the same for nearly every message.
        self._is_lasting = not any(route.prefixes or hours for route, hours in self._routes)
        self._known: dict[tuple[str, Category, Network, str], _Leg | None] = {}
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self.resting = Resting()
        self.quality = QualityBook(minutes=QUALITY_MINUTES, least_receipts=QUALITY_LEAST_RECEIPTS)

    def rank(self, candidate: Candidate, *, now: Milliseconds) -> tuple[str, ...]:
        """The carriers that may take it, best first; empty when none may. `now`: the wall clock."""
        leg = self._leg(candidate, now)
        return () if leg is None else self._order(leg, candidate, now)

    def without_suppressed(self, candidate: Candidate, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of some carriers that have not blacklisted its receiver."""
        number, suppressed = candidate.to, self._suppressed
        return tuple([name for name in names if not suppressed.has(name, number)])

    def refusal(self, candidate: Candidate, *, now: Milliseconds) -> Refusal:
        """Why no carrier is left."""
        leg = self._leg(candidate, now)
        if leg is None:
            return no_route(candidate)
        if leg.carriers:
            return blacklisted(candidate)
        if any(self._carriers[name].reaches(candidate) for name in leg.route.carriers):
            return not_filed(candidate)
        return out_of_reach(candidate)

    def goes_on_when_refused(self, candidate: Candidate, *, now: Milliseconds) -> bool:
        """Whether it goes by its next carrier when one has refused it for good."""
        leg = self._leg(candidate, now)
        return leg is not None and leg.route.next_when_refused

    def explain(self, candidate: Candidate, *, is_up: Callable[[str], bool], now: Milliseconds) -> list[RouteView]:
        """Every carrier, those that may take the message first and in their order, with the reason for each."""
        leg = self._leg(candidate, now)
        ordered = () if leg is None else self._order(leg, candidate, now)
        ranked = sorted(ordered, key=is_up, reverse=True)
        views = [
            RouteView(name, rank, is_up(name), self._why(leg, name, candidate, is_up=is_up(name), now=now))
            for rank, name in enumerate(ranked, 1)
            if leg is not None
        ]
        for name, carrier in self._carriers.items():
            if name in ranked:
                continue
            if leg is None:
                reason = "no route matches the message"
            elif name in leg.carriers:
                reason = "has blacklisted the number"
            elif name not in leg.route.carriers:
                reason = "is not in the route that matches"
            else:
                reason = carrier.takes(candidate) or ""
            views.append(RouteView(name, None, False, reason))
        return views

    def _order(self, leg: _Leg, candidate: Candidate, now: Milliseconds) -> tuple[str, ...]:
        """The carriers of a leg that take this number, best first."""
        names = leg.carriers
        strategy = leg.route.strategy
        if strategy is not Strategy.ORDERED and len(names) > 1:
            names = self._by_strategy(leg, strategy, candidate, now)
        if self._suppressed:
            names = self.without_suppressed(candidate, names)
        if self.resting and len(names) > 1:
            names = tuple(sorted(names, key=lambda name: self.resting.rests(name, candidate.to, now=now)))
        return names

    def _by_strategy(self, leg: _Leg, strategy: Strategy, candidate: Candidate, now: Milliseconds) -> tuple[str, ...]:
        match strategy:
            case Strategy.ORDERED:
                return leg.carriers
            case Strategy.WEIGHTED:
                return tuple(by_weight(leg.carriers, leg.weights, candidate.to))
            case Strategy.CHEAPEST:
                return tuple(by_price(leg.carriers, [self._carriers[name].price or 0.0 for name in leg.carriers]))
            case Strategy.QUALITY:
                return tuple(by_quality(leg.carriers, self.quality, candidate.network, candidate.to, now=now))
            case _:
                assert_never(strategy)

    def _why(self, leg: _Leg, name: str, candidate: Candidate, *, is_up: bool, now: Milliseconds) -> str:
        """Why a carrier stands where it does."""
        said = ["takes it"]
        match leg.route.strategy:
            case Strategy.ORDERED:
                pass
            case Strategy.WEIGHTED:
                said.append(f"weight {leg.route.weight_of(name)} of {sum(leg.weights)}")
            case Strategy.CHEAPEST:
                said.append(f"{self._carriers[name].price:g} a segment")
            case Strategy.QUALITY:
                quality = self.quality.of(name, candidate.network, now=now)
                if quality is None:
                    said.append("too few receipts to know how well it delivers")
                else:
                    said.append(
                        f"delivers {quality.delivered:.1%} in {quality.seconds:.1f} s ({quality.receipts} receipts)"
                    )
        if self.resting.rests(name, candidate.to, now=now):
            said.append("its own cap for the number is full")
        return ", ".join(said) + ("" if is_up else ", and is down")

    def _leg(self, candidate: Candidate, now: Milliseconds) -> _Leg | None:
        if not self._is_lasting:
            return self._find_leg(candidate, now)
        key = (candidate.account.name, candidate.draft.category, candidate.network, candidate.signature)
        leg = self._known.get(key)
        if leg is None:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            leg = self._known[key] = self._find_leg(candidate, now)
        return leg

    def _find_leg(self, candidate: Candidate, now: Milliseconds) -> _Leg | None:
        for route, hours in self._routes:
            if route.matches(candidate) and (hours is None or hours.opening(now) is None):
                carriers = self._carriers
                names = tuple([name for name in route.carriers if carriers[name].takes(candidate) is None])
                return _Leg(route, names, tuple([route.weight_of(name) for name in names]))
        return None


def blacklisted(candidate: Candidate) -> Refusal:
    """Every carrier that would take it has blacklisted the number."""
    return Refusal(
        Reason.OPTED_OUT,
        f"Every carrier that reaches network {candidate.network} for this message has blacklisted its receiver.",
        {"network": str(candidate.network)},
        chinese=f"可到达网络 {candidate.network} 的运营商通道均已将接收方列入黑名单。",
    )


def no_route(candidate: Candidate) -> Refusal:
    """Nothing in the config says who takes such messages, at this hour."""
    return _unroutable(candidate, "route", "No route matches this message.", "没有与该消息匹配的路由。")


def out_of_reach(candidate: Candidate) -> Refusal:
    """No configured carrier reaches the network."""
    network = candidate.network
    return _unroutable(
        candidate,
        "network",
        f"No configured carrier reaches network {network} for this message.",
        f"没有配置可到达网络 {network} 的运营商通道。",
    )


def not_filed(candidate: Candidate) -> Refusal:
    """Carriers reach the network, and none of them may send in this name."""
    signature, network = candidate.signature, candidate.network
    return _unroutable(
        candidate,
        "signature",
        f"The signature {signature} is filed with no carrier that reaches network {network} for this message.",
        f"签名 {signature} 未在任何可到达网络 {network} 的运营商通道报备。",
    )


def _unroutable(candidate: Candidate, rule: str, detail: str, chinese: str) -> Refusal:
    return Refusal(Reason.UNROUTABLE, detail, {"rule": rule, "network": str(candidate.network)}, chinese=chinese)
