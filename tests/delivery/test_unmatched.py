"""Receipts that nobody has claimed yet."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.settings import MessageIdForm
from gateway.delivery.unmatched import Unmatched
from gateway.message import Record
from gateway.store.api import UnmatchedReceipt
from tests.delivery.samples import CARRIER, MORNING, PHONE, a_record

SOURCE = "10690001"


def a_receipt(carrier_message_id: str = "a", *, source: str = "8613800138000", **fields) -> UnmatchedReceipt:
    values = {"destination": SOURCE, "state": 2, "error": "", "at": MORNING}
    return UnmatchedReceipt(CARRIER, carrier_message_id, source, **(values | fields))


def unmatched(*receipts: UnmatchedReceipt, limit: int = 100, form: MessageIdForm = MessageIdForm.SAME) -> Unmatched:
    made = Unmatched(form=form, limit=limit)
    for receipt in receipts:
        made.add(receipt)
    return made


def claim_doubt(held: Unmatched, record: Record, reference: int, *, only: bool, since: int = MORNING):
    return held.take_for_doubt(record, reference, since=since, source=SOURCE if only else None)


def test_a_receipt_is_claimed_once_by_id_and_number():
    held = unmatched(a_receipt("a"), a_receipt("b"))
    assert held.take_by_id("a", "+8613900139000", since=MORNING) == []
    assert held.take_by_id("a", PHONE, since=MORNING) == [a_receipt("a")]
    assert held.take_by_id("a", PHONE, since=MORNING) == []
    assert len(held) == 1


def test_all_receipts_with_an_id_are_claimed_in_the_order_they_came():
    held = unmatched(a_receipt("a", state=8), a_receipt("A", state=2), a_receipt("00a", state=5))
    assert [receipt.state for receipt in held.take_by_id("a", PHONE, since=MORNING)] == [8, 2, 5]


def test_ids_are_claimed_in_the_form_of_the_carrier():
    held = unmatched(a_receipt("1A2B"), form=MessageIdForm.HEX_IN_RECEIPT)
    assert held.take_by_id("6699", PHONE, since=MORNING) == [a_receipt("1A2B")]


def test_a_receipt_from_before_the_submit_is_of_another_message():
    """Carriers reuse ids, and a receipt may wait here for a day."""
    held = unmatched(a_receipt("a", at=MORNING - 1))
    record = a_record()
    assert held.take_by_id("a", PHONE, since=MORNING) == []
    assert claim_doubt(held, record, 0, only=True) == []
    assert len(held) == 1


def test_a_doubt_claims_the_receipt_with_its_reference():
    held = unmatched(a_receipt("x", reference=4), a_receipt("y", reference=5))
    assert claim_doubt(held, a_record(), 5, only=False) == [a_receipt("y", reference=5)]


def test_the_only_doubt_claims_one_receipt_that_names_no_reference():
    held = unmatched(a_receipt("x", reference=4), a_receipt("y"), a_receipt("z"))
    assert claim_doubt(held, a_record(), 5, only=False) == []
    assert claim_doubt(held, a_record(), 5, only=True) == [a_receipt("y")]
    assert len(held) == 2


def test_a_reference_that_was_not_sent_claims_nothing():
    held = unmatched(a_receipt("x", reference=4))
    assert claim_doubt(held, a_record(), 0, only=True) == []


def test_the_only_doubt_claims_no_receipt_to_another_source():
    held = unmatched(a_receipt("x", destination="10690099"))
    assert claim_doubt(held, a_record(), 5, only=True) == []


def test_numbers_meet_without_the_country_code():
    held = unmatched(a_receipt("x", source="13800138000"), a_receipt("y", source="+8613800138000"))
    assert len(claim_doubt(held, a_record(), 0, only=True)) == 1
    assert len(claim_doubt(held, a_record(), 0, only=True)) == 1


def test_it_knows_which_numbers_it_has_receipts_about():
    held = unmatched(a_receipt("x", source="13800138000"))
    assert held.knows(PHONE)
    assert not held.knows("+8613900139000")
    held.take_older_than(MORNING + 1)
    assert not held.knows(PHONE)


def test_past_the_limit_the_oldest_are_given_up():
    held = unmatched(limit=2)
    assert held.add(a_receipt("a")) == []
    assert held.add(a_receipt("b")) == []
    assert held.add(a_receipt("c")) == [a_receipt("a")]
    assert held.take_by_id("a", PHONE, since=MORNING) == []
    assert len(held) == 2


def test_where_none_may_be_kept_each_is_given_up():
    held = unmatched(limit=0)
    assert held.add(a_receipt("a")) == [a_receipt("a")]
    assert len(held) == 0


def test_those_that_waited_too_long_are_given_up():
    held = unmatched(*(a_receipt(str(n), at=MORNING + n) for n in range(5)))
    assert [receipt.at - MORNING for receipt in held.take_older_than(MORNING + 3)] == [0, 1, 2]
    assert len(held) == 2
    assert held.take_by_id("1", PHONE, since=MORNING) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["8613800138000", "13800138000"])), max_size=30))
def test_every_receipt_is_given_out_once(added: list[tuple[str, str]]):
    held = unmatched(limit=10)
    given = []
    for n, (name, source) in enumerate(added):
        given += held.add(a_receipt(name, source=source, at=MORNING + n))
    given += held.take_by_id("a", PHONE, since=MORNING)
    given += claim_doubt(held, a_record(), 0, only=True)
    given += held.take_older_than(MORNING + 1_000)
    assert len(held) == 0
    assert sorted(receipt.at for receipt in given) == [MORNING + n for n in range(len(added))]
