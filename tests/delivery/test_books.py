"""Who keeps the books is told of every part that a carrier took, and of every end, once."""

import pytest

from gateway.message import Record, Status, new_record
from gateway.smpp import CommandStatus
from tests.delivery.rig import Rig, running
from tests.delivery.samples import CARRIER, OF_TWO, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, accept, receipt, refuse, scripted


class Books:
    """What was told, in order, of any message."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def submitted(self, record: Record, carrier: str, *, at: int) -> None:
        self.lines.append(("submitted", carrier))

    def finished(self, record: Record, carrier: str, *, at: int) -> None:
        self.lines.append((record.status.value, carrier))


@pytest.fixture
def books() -> Books:
    return Books()


def a_carrier(smsc: ScriptedSmsc, **fields):
    return carrier_settings(bind_settings(smsc.port, f"{CARRIER}-1", window=4), **fields)


def keep(rig: Rig, books: Books) -> None:
    rig.shared.usage = books


async def test_each_part_that_is_taken_is_told_and_the_end_once(books: Books):
    async with scripted(accept("a"), accept("b")) as smsc, running(a_carrier(smsc)) as rig:
        keep(rig, books)
        record = await rig.accept(text=OF_TWO, parts=2)
        await rig.until(record, Status.SUBMITTED)
        assert books.lines == [("submitted", CARRIER)] * 2
        for _ in range(2):
            await smsc.deliver(receipt(smsc.submits[0], "a"))
            await smsc.deliver(receipt(smsc.submits[1], "b"))
        await rig.until(record, Status.DELIVERED)
        await eventually(lambda: len(rig.shared.live) == 0)
    assert books.lines[2:] == [("delivered", CARRIER)]


async def test_what_was_refused_was_not_submitted(books: Books):
    async with scripted(refuse(CommandStatus.ESME_RINVDSTADR)) as smsc, running(a_carrier(smsc)) as rig:
        keep(rig, books)
        await rig.until(await rig.accept(), Status.FAILED)
    assert books.lines == [("failed", CARRIER)]


async def test_what_a_reviewer_rejects_is_told_as_cancelled(books: Books):
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        keep(rig, books)
        record = new_record(rig.a_message().message, Status.HELD, lane="")
        await rig.hand_in(record)
        await rig.delivery.reject(record.id, note="no")
        await rig.until(record, Status.CANCELLED)
    assert books.lines == [("cancelled", CARRIER)]
