"""Which attempt a receipt speaks of, as far as memory knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.awaiting import (
    LONGEST_CHAIN,
    MOST_DOUBTS,
    Awaiting,
    canonical_receipt_id,
    canonical_response_id,
    same_number,
    spellings,
)
from gateway.delivery.settings import MessageIdForm
from gateway.message import Part, PartStatus, Record, Status
from tests.delivery.samples import a_record, an_attempt

SAME, HEX_IN_RESPONSE, HEX_IN_RECEIPT = MessageIdForm
PHONE, OTHER_PHONE = "8613800138000", "8613900139000"
SOURCE = "10690001"


class Rig:
    """An Awaiting, and what it let go of."""

    def __init__(self, *, form: MessageIdForm = SAME, limit: int = 1_000) -> None:
        self.evicted: list[Record] = []
        self.awaiting = Awaiting(
            form=form,
            limit=limit,
            source_of=lambda message: message.sender or SOURCE,
            on_evicted=self.evicted.append,
        )

    def accepted(self, *carrier_message_ids: str, **fields) -> Record:
        """A message whose parts were taken and given these ids."""
        record = a_record(Status.SUBMITTED, parts=len(carrier_message_ids), **fields)
        for n, carrier_message_id in enumerate(carrier_message_ids):
            record.set_part(n, Part(PartStatus.SUBMITTED, (an_attempt(carrier_message_id),)))
            self.awaiting.add(record, n, 0)
        return record

    def in_doubt(self, *references: int, **fields) -> Record:
        """A message whose parts were not answered."""
        record = a_record(Status.IN_DOUBT, parts=len(references), **fields)
        for n, reference in enumerate(references):
            record.set_part(n, Part(PartStatus.IN_DOUBT, (an_attempt(reference=reference),)))
            self.awaiting.add_without_id(record, n, 0)
        return record

    def found(self, receipt_id: str, destination: str = PHONE) -> tuple[Record, int] | None:
        found = self.awaiting.find(receipt_id, destination)
        return None if found is None else (found.record, found.n)


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "in_response", "in_receipt"),
    [
        (SAME, "a1b2", "a1b2"),
        (SAME, "A1B2", "a1b2"),
        (SAME, "0000a1b2", "A1B2"),
        (SAME, "77", "0000000077"),
        (SAME, "0", "000"),
        (HEX_IN_RESPONSE, "1a2b", "6699"),
        (HEX_IN_RESPONSE, "00001A2B", "0000006699"),
        (HEX_IN_RESPONSE, "not-hex", "NOT-HEX"),
        (HEX_IN_RECEIPT, "6699", "1A2B"),
        (HEX_IN_RECEIPT, "0006699", "001a2b"),
    ],
)
def test_ids_meet_however_both_sides_write_them(form: MessageIdForm, in_response: str, in_receipt: str):
    rig = Rig(form=form)
    record = rig.accepted(in_response)
    assert rig.found(in_receipt) == (record, 0)
    assert canonical_response_id(in_response, form) == canonical_receipt_id(in_receipt, form)
    assert in_response in spellings(in_receipt, form) or in_response in {"00001A2B", "0006699", "not-hex"}


@pytest.mark.parametrize(("form", "in_response", "in_receipt"), [(SAME, "10", "A"), (SAME, "a", "10")])
def test_other_ids_do_not_meet(form: MessageIdForm, in_response: str, in_receipt: str):
    rig = Rig(form=form)
    rig.accepted(in_response)
    assert rig.found(in_receipt) is None


@given(st.integers(0, 1 << 64), st.booleans(), st.integers(0, 12))
def test_every_number_meets_itself_in_hexadecimal(number: int, upper: bool, zeros: int):
    in_hex = "0" * zeros + (f"{number:X}" if upper else f"{number:x}")
    assert canonical_response_id(in_hex, HEX_IN_RESPONSE) == canonical_receipt_id(str(number), HEX_IN_RESPONSE)
    assert canonical_response_id(str(number), HEX_IN_RECEIPT) == canonical_receipt_id(in_hex, HEX_IN_RECEIPT)


@given(st.text(st.characters(max_codepoint=255), max_size=64), st.sampled_from(MessageIdForm))
def test_no_id_that_a_carrier_can_send_is_too_strange(text: str, form: MessageIdForm):
    canonical_response_id(text, form)
    canonical_receipt_id(text, form)
    assert text in spellings(text, form)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["8613800138000", "+8613800138000", "13800138000", "013800138000", "008613800138000", "0138000"]
)
def test_a_number_is_the_same_with_or_without_its_country_code(address: str):
    expected = address != "0138000"
    assert same_number("+8613800138000", address) is expected


@pytest.mark.parametrize("address", ["", "0", "8000", "00000000000", "13800138001", "10690001", "86138001380001"])
def test_another_number_is_another(address: str):
    assert not same_number("+8613800138000", address)


# --- by id ------------------------------------------------------------------------------------------------------------


def test_each_part_is_found_by_its_own_id():
    rig = Rig()
    record = rig.accepted("a", "b", "c")
    assert [rig.found(receipt_id) for receipt_id in "abc"] == [(record, 0), (record, 1), (record, 2)]


def test_a_receipt_about_another_number_finds_nothing():
    rig = Rig()
    rig.accepted("a")
    assert rig.found("a", OTHER_PHONE) is None
    assert rig.found("a", "") is None


def test_of_a_reused_id_the_newest_to_that_number_is_meant():
    rig = Rig()
    first = rig.accepted("7")
    other = rig.accepted("7", to="+" + OTHER_PHONE)
    second = rig.accepted("7")
    assert rig.found("7") == (second, 0)
    assert rig.found("7", OTHER_PHONE) == (other, 0)

    rig.awaiting.forget(second)
    assert rig.found("7") == (first, 0)


def test_the_same_spelling_wins_over_the_newest():
    rig = Rig()
    exact = rig.accepted("00ab")
    rig.accepted("AB")
    assert rig.found("00ab") == (exact, 0)


def test_what_is_forgotten_is_gone_with_all_its_attempts():
    rig = Rig()
    record = rig.accepted("a", "b")
    rig.awaiting.add(record, 0, 0)  # heard of twice
    rig.awaiting.add_without_id(record, 1, 0)
    rig.awaiting.forget(record)
    assert [rig.found(receipt_id) for receipt_id in "ab"] == [None, None]
    assert rig.awaiting.find_by_reference(0, PHONE) is None
    assert len(rig.awaiting) == 0


def test_past_the_limit_the_oldest_go():
    rig = Rig(limit=3)
    records = [rig.accepted(f"id-{n}") for n in range(5)]
    assert rig.evicted == records[:2]
    assert [rig.found(f"id-{n}") is not None for n in range(5)] == [False, False, True, True, True]


def test_a_reused_id_is_as_young_as_its_last_use():
    rig = Rig(limit=2)
    rig.accepted("a")
    rig.accepted("b")
    again = rig.accepted("a")
    rig.accepted("c")
    assert rig.found("a") == (again, 0)
    assert rig.found("b") is None


def test_a_message_that_goes_takes_all_its_attempts_along():
    rig = Rig(limit=2)
    record = rig.accepted("a", "b")
    rig.accepted("c")
    assert rig.evicted == [record]
    assert rig.found("b") is None


def test_a_carrier_that_gives_every_message_the_same_id_does_not_fill_the_memory():
    rig = Rig(limit=100)
    records = [rig.accepted("0") for _ in range(1_000)]
    assert rig.evicted == records[:-LONGEST_CHAIN]
    assert rig.found("0") == (records[-1], 0)
    for record in reversed(records[-LONGEST_CHAIN:]):
        assert rig.found("0") == (record, 0)
        rig.awaiting.forget(record)
    assert len(rig.awaiting) == 0


# --- without id -------------------------------------------------------------------------------------------------------


def test_a_doubt_is_found_by_the_reference_it_carried():
    rig = Rig()
    record = rig.in_doubt(11, 12, 13)
    found = rig.awaiting.find_by_reference(12, PHONE)
    assert found is not None
    assert (found.record, found.n) == (record, 1)
    assert rig.awaiting.find_by_reference(12, OTHER_PHONE) is None
    assert rig.awaiting.find_by_reference(14, PHONE) is None


@pytest.mark.parametrize("destination", ["13800138000", "+8613800138000", "013800138000", "008613800138000"])
def test_a_doubt_is_found_however_the_carrier_writes_its_number(destination: str):
    rig = Rig()
    rig.in_doubt(11)
    assert rig.awaiting.find_by_reference(11, destination) is not None
    assert rig.awaiting.find_only_doubt(destination, SOURCE) is not None


def test_of_two_copies_with_one_reference_the_one_without_an_id_is_meant():
    rig = Rig()
    record = a_record(Status.QUEUED)
    record.set_part(0, Part(PartStatus.WAITING, (an_attempt("known", reference=5), an_attempt(reference=5))))
    rig.awaiting.add_without_id(record, 0, 0)
    rig.awaiting.add_without_id(record, 0, 1)
    found = rig.awaiting.find_by_reference(5, PHONE)
    assert found is not None
    assert found.k == 1


def test_the_only_message_in_doubt_is_meant_by_a_receipt_that_nobody_knows():
    rig = Rig()
    record = rig.in_doubt(1, 2)
    found = rig.awaiting.find_only_doubt(PHONE, SOURCE)
    assert found is not None
    assert (found.record, found.n) == (record, 0)

    rig.in_doubt(3)
    assert rig.awaiting.find_only_doubt(PHONE, SOURCE) is None


def test_a_doubt_from_another_source_is_another_matter():
    rig = Rig()
    rig.in_doubt(1, sender="1069000177")
    assert rig.awaiting.find_only_doubt(PHONE, SOURCE) is None
    mine = rig.in_doubt(2)
    found = rig.awaiting.find_only_doubt(PHONE, SOURCE)
    assert found is not None
    assert found.record is mine


def test_a_part_that_is_in_doubt_no_more_is_not_meant():
    rig = Rig()
    record = rig.in_doubt(1, 2)
    record.set_part(0, Part(PartStatus.SUBMITTED, record.state.parts[0].attempts))
    found = rig.awaiting.find_only_doubt(PHONE, SOURCE)
    assert found is not None
    assert found.n == 1


def test_past_the_limit_the_doubts_of_the_oldest_numbers_go():
    rig = Rig(limit=3)
    records = [rig.in_doubt(1, to=f"+86138001380{n:02}") for n in range(5)]
    assert rig.evicted == records[:2]
    assert rig.awaiting.find_by_reference(1, "8613800138001") is None
    assert rig.awaiting.find_by_reference(1, "8613800138004") is not None


def test_many_doubts_about_one_number_do_not_fill_the_memory():
    rig = Rig(limit=10)
    for n in range(1_000):
        rig.in_doubt(n + 1)
    assert len(rig.evicted) == 1_000 - MOST_DOUBTS


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.booleans()), max_size=40))
def test_whatever_comes_and_goes_the_newest_with_that_id_and_number_is_found(steps: list[tuple[int, int, bool]]):
    rig = Rig()
    known: list[tuple[str, str, Record]] = []
    for number, phone, forget in steps:
        if forget and known:
            gone = known[number % len(known)][2]
            rig.awaiting.forget(gone)
            known = [entry for entry in known if entry[2] is not gone]
            continue
        to = (PHONE, OTHER_PHONE)[phone]
        known.append((str(number), to, rig.accepted(str(number), to="+" + to)))
        newest_of_id = [entry for entry in known if entry[0] == str(number)][-LONGEST_CHAIN:]
        known = [entry for entry in known if entry[0] != str(number) or entry in newest_of_id]
    for number in range(5):
        for phone in (PHONE, OTHER_PHONE):
            expected = [record for name, to, record in known if (name, to) == (str(number), phone)]
            found = rig.found(str(number), phone)
            assert found == ((expected[-1], 0) if expected else None)
