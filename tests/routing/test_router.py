"""Which carriers may take a message, best first."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.account import Account
from gateway.message import Category
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.consent import Suppressed
from gateway.policy.verdict import Reason
from gateway.policy.windows import Holidays, Windows, parse_window
from gateway.routing.resting import Resting
from gateway.routing.router import Router
from gateway.routing.routes import CarrierReach, Route
from gateway.routing.strategies import Strategy
from tests.policy.samples import DEMO, a_candidate

CMCC = CarrierReach(name="cmcc", networks=frozenset({Network.CMCC}))
CUCC = CarrierReach(name="cucc", networks=frozenset({Network.CUCC, Network.CBN}))
EVERYONE = CarrierReach(name="everyone")
FILED = CarrierReach(name="filed", signatures=frozenset({"阳光物业"}))
ALL = [CMCC, CUCC, EVERYONE, FILED]

NOW = 1_772_323_200_000  # 2026-03-01T08:00:00+08:00, a Sunday
MOBILE, UNICOM, UNKNOWN, ABROAD = "13800138000", "13000138000", "16600138000", "+13105551234"


def a_message(to: str = MOBILE, *, signature: str = "阳光物业", account: Account = DEMO, **fields) -> Candidate:
    candidate = a_candidate(account, to=to, **fields)
    candidate.signature = signature
    return candidate


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (MOBILE, ("cmcc", "everyone", "filed")),
        (UNICOM, ("cucc", "everyone", "filed")),
        (UNKNOWN, ("cmcc", "cucc", "everyone", "filed")),
        (ABROAD, ("everyone", "filed")),
    ],
)
def test_without_routes_every_carrier_that_reaches_the_number_may_take_it(to: str, expected: tuple[str, ...]):
    assert Router(ALL, []).rank(a_message(to), now=NOW) == expected


def test_a_carrier_takes_only_signatures_that_are_filed_with_it():
    assert Router([FILED], []).rank(a_message(signature="花园小区"), now=NOW) == ()
    assert Router([FILED], []).rank(a_message(signature="阳光物业"), now=NOW) == ("filed",)
    assert Router([FILED], []).rank(a_message(ABROAD, signature=""), now=NOW) == ("filed",)
    assert FILED.takes(a_message(signature="花园小区")) == "has not filed the signature"
    assert CMCC.takes(a_message(UNICOM)) == "does not reach the network"


def test_a_route_gives_the_order_of_preference():
    assert Router(ALL, [Route(carriers=("filed", "everyone", "cmcc"))]).rank(a_message(), now=NOW) == (
        "filed",
        "everyone",
        "cmcc",
    )


def test_the_first_route_that_fits_decides_also_when_it_leads_nowhere():
    routes = [Route(carriers=("cucc",), networks=frozenset({Network.CMCC})), Route(carriers=("everyone",))]
    assert Router(ALL, routes).rank(a_message(MOBILE), now=NOW) == ()
    assert Router(ALL, routes).rank(a_message(UNICOM), now=NOW) == ("everyone",)


def test_where_no_route_fits_there_is_none():
    routes = [Route(carriers=("everyone",), accounts=frozenset({"somebody else"}))]
    assert Router(ALL, routes).rank(a_message(), now=NOW) == ()


@pytest.mark.parametrize(
    ("condition", "fits", "does_not"),
    [
        (
            {"categories": frozenset({Category.OTP})},
            a_message(category=Category.OTP),
            a_message(category=Category.MARKETING),
        ),
        ({"networks": frozenset({Network.CMCC})}, a_message(MOBILE), a_message(UNICOM)),
        ({"accounts": frozenset({"demo"})}, a_message(), a_message(account=Account(name="other"))),
        ({"signatures": frozenset({"阳光物业"})}, a_message(), a_message(signature="花园小区")),
        ({"prefixes": ("+86138", "+1")}, a_message(MOBILE), a_message(UNICOM)),
        ({"prefixes": ("+86138", "+1")}, a_message(ABROAD), a_message("+447700900123")),
    ],
)
def test_a_route_fits_by_its_conditions(condition: dict, fits: Candidate, does_not: Candidate):
    route = Route(carriers=("everyone",), **condition)
    assert route.matches(fits)
    assert not route.matches(does_not)


def test_all_conditions_of_a_route_must_fit():
    route = Route(carriers=("x",), categories=frozenset({Category.OTP}), networks=frozenset({Network.CMCC}))
    assert route.matches(a_message(category=Category.OTP))
    assert not route.matches(a_message(UNICOM, category=Category.OTP))
    assert not route.matches(a_message())


@pytest.mark.parametrize("routes", [[], [Route(carriers=("cmcc", "everyone"), prefixes=("+86138",))]])
def test_a_carrier_that_has_blacklisted_a_number_is_left_out_for_it_and_explained(routes: list[Route]):
    suppressed = Suppressed()
    router = Router([CMCC, EVERYONE], routes, suppressed)
    assert router.rank(a_message(), now=NOW) == ("cmcc", "everyone")

    suppressed.add("cmcc", "+8613800138000")

    assert router.rank(a_message(), now=NOW) == ("everyone",)
    assert router.rank(a_message("13800138001"), now=NOW) == ("cmcc", "everyone")
    views = {view.carrier: view for view in router.explain(a_message(), is_up=lambda _: True, now=NOW)}
    assert (views["cmcc"].rank, views["cmcc"].reason) == (None, "has blacklisted the number")
    assert views["everyone"].rank == 1


def test_when_every_carrier_has_blacklisted_it_the_receiver_counts_as_opted_out():
    suppressed = Suppressed()
    router = Router([CMCC], [], suppressed)
    suppressed.add("cmcc", "+8613800138000")

    assert router.rank(a_message(), now=NOW) == ()
    assert router.refusal(a_message(), now=NOW).reason is Reason.OPTED_OUT
    assert router.refusal(a_message(UNICOM), now=NOW).reason is Reason.UNROUTABLE


@pytest.mark.parametrize(
    ("carriers", "routes", "rule"),
    [
        ([CMCC], [], "network"),
        ([msgspec.structs.replace(EVERYONE, signatures=frozenset({"别家"})), CMCC], [], "signature"),
        ([EVERYONE], [Route(carriers=("everyone",), networks=frozenset({Network.CMCC}))], "route"),
    ],
)
def test_a_refusal_says_whether_it_is_for_want_of_a_route_a_carrier_or_a_filed_signature(carriers, routes, rule):
    router = Router(carriers, routes)
    assert router.rank(a_message(UNICOM), now=NOW) == ()
    refusal = router.refusal(a_message(UNICOM), now=NOW)
    assert (refusal.reason, refusal.data) == (Reason.UNROUTABLE, {"rule": rule, "network": "cucc"})


def test_the_route_that_decides_says_whether_what_is_refused_goes_by_the_next_carrier():
    routes = [
        Route(carriers=("cmcc", "everyone"), networks=frozenset({Network.CMCC}), next_when_refused=True),
        Route(carriers=("everyone",), networks=frozenset({Network.CUCC})),
    ]
    router = Router(ALL, routes)
    assert router.goes_on_when_refused(a_message(MOBILE), now=NOW)
    assert not router.goes_on_when_refused(a_message(UNICOM), now=NOW)
    assert not router.goes_on_when_refused(a_message(ABROAD), now=NOW)


def test_by_weight_each_carrier_gets_its_share_of_those_that_it_takes() -> None:
    router = Router(ALL, [Route(carriers=("everyone", "filed"), strategy=Strategy.WEIGHTED, weights=(3, 1))])

    ranks = [router.rank(a_message(f"138{n:08}"), now=NOW) for n in range(1_000)]

    assert 700 < sum(rank[0] == "everyone" for rank in ranks) < 800
    assert {frozenset(rank) for rank in ranks} == {frozenset({"everyone", "filed"})}
    assert router.rank(a_message(signature="花园小区"), now=NOW) == ("everyone",)


def test_weights_stay_with_their_carriers_when_others_do_not_take_the_message() -> None:
    router = Router(ALL, [Route(carriers=("cucc", "everyone", "filed"), strategy=Strategy.WEIGHTED, weights=(9, 0, 1))])

    assert router.rank(a_message(MOBILE), now=NOW) == ("filed", "everyone")


def test_the_cheapest_that_takes_it_is_first() -> None:
    priced = [
        CarrierReach(name="a", price=0.04),
        CarrierReach(name="b", price=0.03),
        CarrierReach(name="c", price=0.03),
    ]

    router = Router(priced, [Route(carriers=("a", "c", "b"), strategy=Strategy.CHEAPEST)])

    assert router.rank(a_message(), now=NOW) == ("c", "b", "a")
    assert router.explain(a_message(), is_up=lambda _: True, now=NOW)[0].reason == "takes it, 0.03 a segment"


def test_the_carrier_that_delivers_best_to_the_network_is_first() -> None:
    router = Router(ALL, [Route(carriers=("everyone", "filed"), strategy=Strategy.QUALITY)])
    for n in range(100):
        router.quality.note("everyone", "cmcc", delivered=n < 80, seconds=2.0, now=NOW)
        router.quality.note("filed", "cmcc", delivered=n < 98, seconds=4.0, now=NOW)

    assert router.rank(a_message(MOBILE), now=NOW) == ("filed", "everyone")
    assert router.rank(a_message(UNICOM), now=NOW) == ("everyone", "filed")
    views = router.explain(a_message(MOBILE), is_up=lambda name: name == "everyone", now=NOW)
    assert [(view.carrier, view.reason) for view in views[:2]] == [
        ("everyone", "takes it, delivers 80.0% in 2.0 s (100 receipts)"),
        ("filed", "takes it, delivers 98.0% in 4.0 s (100 receipts), and is down"),
    ]
    assert router.rank(a_message(MOBILE), now=NOW + 11 * 60_000) == ("everyone", "filed")


def test_a_route_is_one_in_its_hours_only() -> None:
    windows = Windows([parse_window("sun 08:00-20:00")], ZoneInfo("Asia/Shanghai"), Holidays())
    router = Router(ALL, [Route(carriers=("filed",), hours=windows), Route(carriers=("everyone",))])

    assert router.rank(a_message(), now=NOW - 1) == ("everyone",)
    assert router.rank(a_message(), now=NOW) == ("filed",)
    assert router.rank(a_message(), now=NOW + 12 * 3_600_000) == ("everyone",)


def test_a_carrier_whose_own_cap_for_the_number_is_full_comes_last_until_then() -> None:
    router = Router(ALL, [])
    router.resting.add("cmcc", a_message().to, until=NOW + 1_000)

    assert router.rank(a_message(), now=NOW) == ("everyone", "filed", "cmcc")
    assert router.explain(a_message(), is_up=lambda _: True, now=NOW)[2].reason == (
        "takes it, its own cap for the number is full"
    )
    assert router.rank(a_message("13800138001"), now=NOW)[0] == "cmcc"
    assert router.rank(a_message(), now=NOW + 1_000)[0] == "cmcc"
    assert len(router.resting) == 0


def test_only_so_many_numbers_rest() -> None:
    resting = Resting(limit=2)
    for n in range(3):
        resting.add("a", str(n), until=NOW + 1_000)

    assert [resting.rests("a", str(n), now=NOW) for n in range(3)] == [False, True, True]
