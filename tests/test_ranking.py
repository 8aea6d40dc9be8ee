"""The routes of this moment, asked with a message that was accepted before."""

from gateway.message import Category
from gateway.numbers import Network
from gateway.policy.consent import Suppressed
from gateway.ranking import Ranking
from gateway.routing.router import Router
from gateway.routing.routes import CarrierReach, Route
from tests.delivery.samples import a_message
from tests.policy.samples import DEMO

CARRIERS = [
    CarrierReach(name="cmcc-a", networks=frozenset({Network.CMCC})),
    CarrierReach(name="filed", signatures=frozenset({"阳光物业"})),
    CarrierReach(name="backup"),
]

NOW = 1_772_323_200_000


def ranking(*routes: Route, network: Network = Network.CMCC) -> Ranking:
    """The routes, while every number is this network's."""
    return Ranking(Router(CARRIERS, routes), {DEMO.name: DEMO}, lambda _: network, lambda: NOW)


def test_a_message_is_ranked_by_the_routes_of_now_and_not_by_those_it_was_accepted_under():
    now = ranking(Route(carriers=("backup", "cmcc-a")))
    assert now.rank(a_message(carriers=("cmcc-a",))) == ("backup", "cmcc-a")


def test_what_the_message_is_decides_as_it_does_at_acceptance():
    assert ranking(network=Network.CUCC).rank(a_message(signature="阳光物业")) == ("filed", "backup")
    assert ranking(network=Network.CMCC).rank(a_message(signature="花园小区")) == ("cmcc-a", "backup")


def test_a_number_that_was_ported_since_goes_by_the_carriers_of_its_network_of_now():
    assert ranking(network=Network.CUCC).rank(a_message(network="cmcc", signature="花园小区")) == ("backup",)


def test_the_candidates_of_acceptance_hold_when_the_routes_of_now_have_none():
    now = ranking(Route(carriers=("backup",), categories=frozenset({Category.OTP})))
    assert now.rank(a_message(carriers=("cmcc-a",))) == ("cmcc-a",)


def test_who_has_blacklisted_the_receiver_is_in_no_ranking():
    suppressed = Suppressed()
    message = a_message(carriers=("cmcc-a", "backup"))
    for routes in ([], [Route(carriers=("backup",), categories=frozenset({Category.OTP}))]):
        now = Ranking(Router(CARRIERS, routes, suppressed), {DEMO.name: DEMO}, lambda _: Network.CMCC, lambda: NOW)
        suppressed.add("backup", message.to)
        assert "backup" not in now.rank(message)
        suppressed.add("cmcc-a", message.to)
        assert not {"cmcc-a", "backup"} & set(now.rank(message))
        suppressed.discard("cmcc-a", message.to)


def test_a_route_that_knows_the_account_says_whether_what_is_refused_goes_on():
    now = ranking(Route(carriers=("backup",), accounts=frozenset({"demo"}), next_when_refused=True))
    assert now.goes_on_when_refused(a_message(account="demo"))
    assert not now.goes_on_when_refused(a_message(account="gone-from-the-config"))
