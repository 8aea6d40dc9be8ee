"""Whose subscriber a number is: the table, then what receipts told, then the plan."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.numbers import Kind, Network, NumberPlan, PlanEntry, normalise
from gateway.routing.learned import LearnedPorts
from gateway.routing.networks import Networks, Source
from gateway.routing.ported import PORTED_TO, PortTable
from tests.policy.samples import PLAN

MOBILE, MVNO, IOT, SATELLITE = "+8613800138000", "+8617000138000", "+8614800138000", "+8613490138000"
UNKNOWN, ABROAD = "+8616600138000", "+13105551234"


def a_table(**rows: Network) -> PortTable:
    return PortTable.parse(["number,network", *(f"{number.strip('_')},{network}" for number, network in rows.items())])


def networks(
    *, file: Network | None = None, by_hand: Network | None = None, learned: Network | None = None
) -> Networks:
    """What knows of one number, MOBILE."""
    found = Networks(PLAN, learned=LearnedPorts(limit=10, keep_milliseconds=10))
    if file is not None:
        found.replace_file(a_table(_13800138000=file))
    if by_hand is not None:
        found.by_hand.put(MOBILE, by_hand)
    if learned is not None:
        assert found.learn(MOBILE, learned, at=0) == []
    return found


maybe_ported = st.sampled_from([None, *PORTED_TO])


@given(maybe_ported, maybe_ported, maybe_ported)
def test_hand_wins_over_file_over_receipts_over_plan(by_hand, file, learned):
    found = networks(by_hand=by_hand, file=file, learned=learned)
    expected = by_hand or file or learned or Network.CMCC
    source = Source.TABLE if by_hand or file else Source.LEARNED if learned else Source.PLAN
    assert found.lookup(normalise(MOBILE)) == PlanEntry(expected, Kind.MOBILE)
    assert found.network_of(MOBILE) is expected
    assert {each: count for each, count in found.lookups.items() if count} == {source: 1}


def test_virtual_operators_things_and_satellites_cannot_be_taken_along():
    file = a_table(_17000138000=Network.CTCC, _14800138000=Network.CTCC, _13490138000=Network.CTCC)
    found = Networks(PLAN, file=file, learned=LearnedPorts(limit=10, keep_milliseconds=10))
    for number in (MVNO, IOT, SATELLITE, ABROAD):
        assert found.learn(number, Network.CTCC, at=0) is None
        assert found.lookup(normalise(number)) == PLAN.lookup(normalise(number))
        assert found.network_of(number) is PLAN.lookup(normalise(number)).network
    assert len(found.learned) == 0


def test_nobody_is_ported_to_a_network_without_subscribers_of_its_own():
    assert networks().learn(MOBILE, Network.SATNET, at=0) is None
    assert networks().learn(MOBILE, Network.OTHER, at=0) is None


def test_a_number_of_no_row_is_unknown_and_counted_until_it_is_known_to_be_ported():
    found = networks()
    assert found.lookup(normalise(UNKNOWN)).network is Network.UNKNOWN
    assert found.lookups[Source.NONE] == 1
    found.learn(UNKNOWN, Network.CBN, at=0)
    assert found.lookup(normalise(UNKNOWN)).network is Network.CBN
    assert found.lookup(normalise(ABROAD)).network is Network.OTHER
    assert (found.lookups[Source.LEARNED], found.lookups[Source.ABROAD]) == (1, 1)


def test_another_plan_and_another_file_hold_from_then_on_and_leave_the_rest():
    found = networks(file=Network.CUCC, learned=Network.CBN)
    found.by_hand.put("+8613800138001", Network.CTCC)
    found.replace_file(PortTable())
    assert found.network_of(MOBILE) is Network.CBN
    assert found.network_of("+8613800138001") is Network.CTCC
    found.replace_plan(NumberPlan.parse("prefix,network,kind,note\n138,ctcc,mvno,\n"))
    assert found.network_of(MOBILE) is Network.CTCC
    assert found.sizes == {"file": 0, "api": 1, "learned": 1}
