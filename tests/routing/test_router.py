"""Which carriers may take a message, best first."""

import pytest

from gateway.account import Account
from gateway.message import Category
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.consent import Suppressed
from gateway.policy.verdict import Reason
from gateway.routing.router import CarrierReach, Route, Router
from tests.policy.samples import DEMO, a_candidate

CMCC = CarrierReach(name="cmcc", networks=frozenset({Network.CMCC}))
CUCC = CarrierReach(name="cucc", networks=frozenset({Network.CUCC, Network.CBN}))
EVERYONE = CarrierReach(name="everyone")
FILED = CarrierReach(name="filed", signatures=frozenset({"阳光物业"}))
ALL = [CMCC, CUCC, EVERYONE, FILED]

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
    assert Router(ALL, []).rank(a_message(to)) == expected


def test_a_carrier_takes_only_signatures_that_are_filed_with_it():
    assert Router([FILED], []).rank(a_message(signature="花园小区")) == ()
    assert Router([FILED], []).rank(a_message(signature="阳光物业")) == ("filed",)
    assert Router([FILED], []).rank(a_message(ABROAD, signature="")) == ("filed",)
    assert FILED.takes(a_message(signature="花园小区")) == "has not filed the signature"
    assert CMCC.takes(a_message(UNICOM)) == "does not reach the network"


def test_a_route_gives_the_order_of_preference():
    assert Router(ALL, [Route(carriers=("filed", "everyone", "cmcc"))]).rank(a_message()) == (
        "filed",
        "everyone",
        "cmcc",
    )


def test_the_first_route_that_fits_decides_also_when_it_leads_nowhere():
    routes = [Route(carriers=("cucc",), networks=frozenset({Network.CMCC})), Route(carriers=("everyone",))]
    assert Router(ALL, routes).rank(a_message(MOBILE)) == ()
    assert Router(ALL, routes).rank(a_message(UNICOM)) == ("everyone",)


def test_where_no_route_fits_there_is_none():
    routes = [Route(carriers=("everyone",), accounts=frozenset({"somebody else"}))]
    assert Router(ALL, routes).rank(a_message()) == ()


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
    assert router.rank(a_message()) == ("cmcc", "everyone")

    suppressed.add("cmcc", "+8613800138000")

    assert router.rank(a_message()) == ("everyone",)
    assert router.rank(a_message("13800138001")) == ("cmcc", "everyone")
    views = {view.carrier: view for view in router.explain(a_message(), is_up=lambda _: True)}
    assert (views["cmcc"].rank, views["cmcc"].reason) == (None, "has blacklisted the number")
    assert views["everyone"].rank == 1


def test_when_every_carrier_has_blacklisted_it_the_receiver_counts_as_opted_out():
    suppressed = Suppressed()
    router = Router([CMCC], [], suppressed)
    suppressed.add("cmcc", "+8613800138000")

    assert router.rank(a_message()) == ()
    assert router.refusal(a_message()).reason is Reason.OPTED_OUT
    assert router.refusal(a_message(UNICOM)).reason is Reason.UNROUTABLE


def test_the_route_that_decides_says_whether_what_is_refused_goes_by_the_next_carrier():
    routes = [
        Route(carriers=("cmcc", "everyone"), networks=frozenset({Network.CMCC}), next_when_refused=True),
        Route(carriers=("everyone",), networks=frozenset({Network.CUCC})),
    ]
    router = Router(ALL, routes)
    assert router.goes_on_when_refused(a_message(MOBILE))
    assert not router.goes_on_when_refused(a_message(UNICOM))
    assert not router.goes_on_when_refused(a_message(ABROAD))
