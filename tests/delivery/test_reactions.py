"""What receipts of undelivered messages bring about, against carriers that listen on this machine."""

from typing import Any

import msgspec
import pytest

from gateway.delivery.receipt_codes import ReceiptCodes
from gateway.delivery.settings import CarrierSettings
from gateway.message import Category, Record, Status
from gateway.smpp import MessageState
from tests.delivery.rig import RESEND, Rig, running
from tests.delivery.samples import CARRIER, LONG, PHONE, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, receipt, scripted

BOTH = (CARRIER, "cmcc-b")
TABLE = """code,action,value,meaning
NP:1243,elsewhere,cucc,ported
NE:0106,elsewhere,,ported
00141,rest,3600,cap
MBBLACK,suppress,,blacklist
MK:0014,content,,content
00139,alert,,signature
EXPIRED,retry,600,off
"""
CODES = ReceiptCodes.parse(TABLE)


class Heard:
    """Remembers what receipts told."""

    def __init__(self) -> None:
        self.lessons: list[tuple[Any, ...]] = []
        self.outcomes: list[tuple[str, str, bool]] = []

    def ported(self, number: str, network: str) -> None:
        self.lessons.append(("ported", number, network))

    def suppress(self, carrier: str, number: str, code: str) -> None:
        self.lessons.append(("suppress", carrier, number, code))

    def rest(self, carrier: str, number: str, seconds: float) -> None:
        self.lessons.append(("rest", carrier, number, seconds))

    def outcome(self, carrier: str, network: str, *, delivered: bool, seconds: float) -> None:
        assert 0 <= seconds < 5
        self.outcomes.append((carrier, network, delivered))


def two_carriers(first: ScriptedSmsc, second: ScriptedSmsc, **fields: Any) -> tuple[CarrierSettings, CarrierSettings]:
    return (
        carrier_settings(bind_settings(first.port, "a"), **fields),
        carrier_settings(bind_settings(second.port, "b"), name="cmcc-b", **fields),
    )


def allow(rig: Rig, category: Category = RESEND, **fields: Any) -> None:
    """Set what a category allows."""
    settings = msgspec.structs.replace(rig.shared.categories[category], **fields)
    rig.shared.categories = {**rig.shared.categories, category: settings}


async def submitted(rig: Rig, **fields: Any) -> Record:
    return await rig.until(await rig.accept(carriers=BOTH, **fields), Status.SUBMITTED)


async def tell(smsc: ScriptedSmsc, state: MessageState, error: str = "000") -> None:
    """Send the receipt for what an SMSC took last, and see it acknowledged."""
    message_id, submit = [*smsc.accepted.items()][-1]
    assert await smsc.deliver(receipt(submit, message_id, state, error=error)) == 0


def been_to(rig: Rig, record: Record) -> list[str]:
    return [attempt.carrier for attempt in rig.store.stored(record).state.parts[0].attempts]


async def test_a_number_that_was_ported_goes_once_more_by_another_carrier_and_is_learned() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        heard = rig.shared.lessons = Heard()
        record = await submitted(rig)

        await tell(first, MessageState.UNDELIVERABLE, error="NP:1243")
        await eventually(lambda: len(second.submits) == 1)
        await rig.until(record, Status.SUBMITTED)
        await tell(second, MessageState.DELIVERED)
        stored = await rig.until(record, Status.DELIVERED)

        assert been_to(rig, record) == [CARRIER, "cmcc-b"]
        assert heard.lessons == [("ported", PHONE, "cucc")]
        assert heard.outcomes == [(CARRIER, "cmcc", False), ("cmcc-b", "cmcc", True)]
        assert "goes by cmcc-b: receipt" in [entry.reason for entry in stored.state.timeline]
        assert rig.metrics.receipt_errors.value((CARRIER, "NP:1243")) == 1


async def test_it_is_sent_elsewhere_once_and_not_again() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        record = await submitted(rig)

        await tell(first, MessageState.UNDELIVERABLE, error="NE:0106")
        await eventually(lambda: len(second.submits) == 1)
        await rig.until(record, Status.SUBMITTED)
        await tell(second, MessageState.UNDELIVERABLE, error="NE:0106")
        await rig.until(record, Status.FAILED)

        assert been_to(rig, record) == [CARRIER, "cmcc-b"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"carriers": (CARRIER,)}, id="no other carrier"),
        pytest.param({"carriers": BOTH, "text": LONG, "parts": 3}, id="several parts"),
    ],
)
async def test_where_it_cannot_go_elsewhere_it_has_failed(message: dict[str, Any]) -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        record = await rig.until(await rig.accept(**message), Status.SUBMITTED)

        await tell(first, MessageState.UNDELIVERABLE, error="NE:0106")
        await rig.until(record, Status.FAILED)

        assert second.submits == []


async def test_what_is_not_valid_any_more_is_not_sent_again() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        record = await submitted(rig, valid_for_seconds=60)

        rig.ahead_milliseconds = 61_000
        await tell(first, MessageState.UNDELIVERABLE, error="NE:0106")
        await rig.until(record, Status.FAILED)

        assert second.submits == []


async def test_a_receipt_that_comes_twice_teaches_once_and_sends_once() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        heard = rig.shared.lessons = Heard()
        await submitted(rig)

        for _ in range(3):
            await tell(first, MessageState.UNDELIVERABLE, error="NP:1243")
        await eventually(lambda: len(second.submits) == 1)

        assert len(second.submits) == 1
        assert heard.lessons == [("ported", PHONE, "cucc")]


async def test_what_the_carrier_says_of_a_number_is_passed_on_and_the_message_has_failed() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        heard = rig.shared.lessons = Heard()
        for code in ("00141", "MBBLACK", "MK:0014", "00139", "XX:999"):
            record = await submitted(rig)
            await tell(first, MessageState.UNDELIVERABLE, error=code)
            await rig.until(record, Status.FAILED)

        assert heard.lessons == [("rest", CARRIER, PHONE, 3_600), ("suppress", CARRIER, PHONE, "MBBLACK")]
        assert rig.metrics.receipt_errors.value((CARRIER, "MK:0014")) == 1
        assert rig.metrics.receipt_errors.value((CARRIER, "other")) == 1
        assert second.submits == []


async def test_a_passing_failure_is_tried_again_later_as_often_as_the_category_says() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        allow(rig, retry_undelivered=2)
        record = await submitted(rig, valid_for_seconds=86_400)

        for n, pause in ((1, 600), (2, 1_200)):
            await tell(first, MessageState.EXPIRED)
            stored = await rig.until(record, Status.SCHEDULED)
            assert abs(stored.due - rig.now() - pause * 1_000) < 5_000
            rig.ahead_milliseconds += (pause + 1) * 1_000
            rig.delivery._waiting.note(0)  # the clock is looked at twice a minute
            await eventually(lambda n=n: len(first.submits) == n + 1)
            await rig.until(record, Status.SUBMITTED)
        await tell(first, MessageState.EXPIRED)
        await rig.until(record, Status.FAILED)

        assert been_to(rig, record) == [CARRIER] * 3


async def test_by_default_a_passing_failure_is_the_end() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second), receipt_codes=CODES) as rig,
    ):
        record = await submitted(rig)
        await tell(first, MessageState.EXPIRED)
        await rig.until(record, Status.FAILED)


async def test_a_receipt_that_does_not_come_sends_it_elsewhere_where_the_category_says_so() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second, receipt_deadline_seconds=100.0), receipt_codes=CODES) as rig,
    ):
        allow(rig, resend_overdue=True)
        record = await submitted(rig)

        rig.ahead_milliseconds = 101_000
        await eventually(lambda: len(second.submits) == 1)
        await rig.until(record, Status.SUBMITTED)
        rig.ahead_milliseconds = 202_000
        stored = await rig.until(record, Status.UNKNOWN)

        assert been_to(rig, record) == [CARRIER, "cmcc-b"]
        assert "goes by cmcc-b: overdue" in [entry.reason for entry in stored.state.timeline]


async def test_a_late_receipt_of_the_first_carrier_settles_what_was_sent_elsewhere() -> None:
    async with (
        scripted() as first,
        scripted() as second,
        running(*two_carriers(first, second, receipt_deadline_seconds=100.0), receipt_codes=CODES) as rig,
    ):
        allow(rig, resend_overdue=True)
        record = await submitted(rig)
        rig.ahead_milliseconds = 101_000
        await eventually(lambda: len(second.submits) == 1)
        await rig.until(record, Status.SUBMITTED)

        await tell(first, MessageState.DELIVERED)

        await rig.until(record, Status.DELIVERED)
