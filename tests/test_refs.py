from gateway.message import MessageId
from gateway.refs import ClientRefs, ClientRefSettings

HOUR = 3_600_000


def test_a_ref_leads_to_its_first_message_for_a_day_and_is_then_forgotten():
    refs = ClientRefs(ClientRefSettings())
    refs.add("demo", "order-1", MessageId(7), now=0)

    assert refs.get("demo", "order-1", now=23 * HOUR) == 7
    assert refs.get("demo", "order-1", now=24 * HOUR) == 7
    assert refs.get("demo", "order-1", now=25 * HOUR) is None
    assert len(refs) == 0


def test_a_ref_is_a_name_inside_its_account():
    refs = ClientRefs(ClientRefSettings())
    refs.add("demo", "order-1", MessageId(7), now=0)

    assert refs.get("other", "order-1", now=0) is None


def test_a_discarded_ref_is_free_again():
    refs = ClientRefs(ClientRefSettings())
    refs.add("demo", "order-1", MessageId(7), now=0)
    refs.discard("demo", "order-1")

    assert refs.get("demo", "order-1", now=0) is None
    assert len(refs) == 0


def test_past_the_limit_whole_hours_are_forgotten_oldest_first():
    refs = ClientRefs(ClientRefSettings(limit=2))
    refs.add("demo", "a", MessageId(1), now=0)
    refs.add("demo", "b", MessageId(2), now=HOUR)
    refs.add("demo", "c", MessageId(3), now=2 * HOUR)

    assert refs.get("demo", "a", now=2 * HOUR) is None
    assert refs.get("demo", "b", now=2 * HOUR) == 2
    assert refs.get("demo", "c", now=2 * HOUR) == 3
    assert refs.oldest_age_seconds(now=2 * HOUR) == 3600
