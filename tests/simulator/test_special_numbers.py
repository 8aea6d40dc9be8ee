"""Every row of the table of numbers that ask for something, over real sockets."""

import asyncio
import time

import pytest

from gateway.smpp import (
    BindTransceiver,
    CommandStatus,
    EnquireLink,
    EsmClass,
    MessageState,
    Pdu,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    SubmitSm,
    Unbind,
    encode,
)
from simulator import Simulator
from simulator.outcomes import SPECIAL
from tests.simulator.clients import Client, bound, id_of, states, submit_to
from tests.simulator.conftest import Start

PREFIX = "861380000"

TESTED = {f"{number:04d}" for number in range(30)}


def test_every_row_of_the_table_is_tested_here() -> None:
    assert set(SPECIAL) == TESTED


async def test_0000_is_delivered_at_once(start: Start) -> None:
    async with start(receipts={"delay_seconds": 600}) as simulator, bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0000")
        [receipt] = await client.receipts_of(id_of(response))

    assert (receipt.state, receipt.error) == (MessageState.DELIVERED, "000")


@pytest.mark.parametrize(
    ("suffix", "state", "error"),
    [
        ("0001", MessageState.UNDELIVERABLE, "001"),
        ("0002", MessageState.EXPIRED, "002"),
        ("0003", MessageState.DELETED, "003"),
        ("0004", MessageState.REJECTED, "004"),
        ("0005", MessageState.UNKNOWN, "005"),
        ("0042", MessageState.DELIVERED, "000"),
        ("1234", MessageState.DELIVERED, "000"),
    ],
)
async def test_0001_to_0005_end_in_their_states_and_others_are_delivered(
    simulator: Simulator, suffix: str, state: MessageState, error: str
) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + suffix)
        [receipt] = await client.receipts_of(id_of(response))

    assert (receipt.state, receipt.error) == (state, error)


async def test_0006_gets_no_receipt(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        silent = id_of(await client.submit(PREFIX + "0006"))
        await client.receipts_of(id_of(await client.submit(PREFIX + "1234")))
        await asyncio.sleep(0.05)

    assert silent not in [receipt.message_id for receipt in client.receipts]
    assert simulator.counts()["deliveries_open"] == 0


async def test_0007_is_enroute_first_and_then_delivered(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0007")
        receipts = await client.receipts_of(id_of(response), 2)

    assert states(receipts) == ["ENROUTE", "DELIVERED"]


async def test_0008_gets_its_receipt_before_its_answer(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0008")

    assert [type(item).__name__ for item in client.received] == ["DeliverSm", "ResponseReceived"]
    assert client.receipts[0].message_id == id_of(response)


async def test_0009_gets_its_receipt_twice(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0009")
        receipts = await client.receipts_of(id_of(response), 2)

    assert receipts[0] == receipts[1]
    assert simulator.counts()["delivery_results"] == {"acknowledged": 2}


async def test_0010_is_refused_every_time(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        statuses = [(await client.submit(PREFIX + "0010")).command_status for _ in range(3)]

    assert statuses == [CommandStatus.ESME_RINVDSTADR] * 3


@pytest.mark.parametrize(
    ("suffix", "status"),
    [
        ("0011", CommandStatus.ESME_RTHROTTLED),
        ("0012", CommandStatus.ESME_RMSGQFUL),
        ("0013", CommandStatus.ESME_RSYSERR),
    ],
)
async def test_0011_to_0013_are_refused_once_and_then_accepted(
    simulator: Simulator, suffix: str, status: CommandStatus
) -> None:
    async with bound(simulator.port) as client:
        refused = await client.submit(PREFIX + suffix)
        accepted = await client.submit(PREFIX + suffix)
        [receipt] = await client.receipts_of(id_of(accepted))

    assert refused.command_status == status
    assert receipt.state is MessageState.DELIVERED


async def test_each_part_of_a_long_message_has_its_own_first_submit(simulator: Simulator) -> None:
    parts = [bytes((5, 0, 3, 7, 2, number)) + b"part" for number in (1, 2)]
    again = [bytes((5, 0, 3, 8, 2, number)) + b"part" for number in (1, 2)]  # the same under another reference
    async with bound(simulator.port) as client:
        statuses = [
            (await client.submit(PREFIX + "0011", esm_class=EsmClass.UDHI, short_message=part)).command_status
            for part in parts + again
        ]

    assert statuses == [CommandStatus.ESME_RTHROTTLED] * 2 + [0, 0]


async def unanswered(client: Client, suffix: str) -> None:
    """Submit, and see that no answer comes while other messages are answered."""
    number = client.connection.send(submit_to(PREFIX + suffix))
    for _ in range(3):
        await client.submit(PREFIX + "0006")
    assert number not in [response.sequence_number for response in client.responses]


async def test_0014_is_neither_answered_nor_processed_the_first_time(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        await unanswered(client, "0014")
        accepted = await client.submit(PREFIX + "0014")
        await client.receipts_of(id_of(accepted))
        await asyncio.sleep(0.05)

    assert len(client.receipts) == 1


@pytest.mark.parametrize("suffix", ["0014", "0015"])
async def test_an_unbind_does_not_wait_for_an_answer_that_never_comes(simulator: Simulator, suffix: str) -> None:
    async with bound(simulator.port, response_timeout_seconds=0.2) as client:
        client.connection.send(submit_to(PREFIX + suffix))
        client.connection.send(Unbind())  # in the same write
        started = time.monotonic()
        await client.until(lambda: client.end is not None)

    assert isinstance(client.end, SessionClosed)
    assert time.monotonic() - started < 5


async def test_0015_is_processed_though_its_first_answer_is_lost(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        await unanswered(client, "0015")
        await client.until(lambda: len(client.receipts) == 1)
        accepted = await client.submit(PREFIX + "0015")
        await client.receipts_of(id_of(accepted))

    assert len({receipt.message_id for receipt in client.receipts}) == 2


async def test_0016_resets_the_connection_and_the_receipt_comes_on_the_next_bind(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        client.connection.send(submit_to(PREFIX + "0016"))
        await client.until(lambda: client.end is not None)
        assert isinstance(client.end, SessionBroken)
        assert [lost.request for lost in client.end.unanswered] == [submit_to(PREFIX + "0016")]

    async with bound(simulator.port) as client:
        await client.until(lambda: len(client.receipts) == 1)
        accepted = await client.submit(PREFIX + "0016")
        await client.receipts_of(id_of(accepted))


async def test_0017_sends_garbage_after_the_answer(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        await client.submit(PREFIX + "0017")
        await client.until(lambda: client.end is not None)

    assert isinstance(client.end, SessionBroken)
    assert type(client.end.error).__name__ == "FramingError"


async def test_0018_spells_the_message_id_otherwise_in_the_receipt(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0018")
        await client.until(lambda: len(client.receipts) == 1)

    given, told = id_of(response), client.receipts[0].message_id
    assert given != told
    assert given.upper() == told.upper().lstrip("0")
    assert given != given.lower()


async def test_0019_gets_its_receipt_on_another_bind_when_there_is_one(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0019", short_message=b"alone")
        await client.receipts_of(id_of(response))

        async with bound(simulator.port) as other:
            response = await client.submit(PREFIX + "0019")
            await other.receipts_of(id_of(response))


async def test_0020_is_delivered_five_seconds_later(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        started = time.monotonic()
        response = await client.submit(PREFIX + "0020")
        [receipt] = await client.receipts_of(id_of(response))
        elapsed_seconds = time.monotonic() - started

    assert receipt.state is MessageState.DELIVERED
    assert 4.9 < elapsed_seconds < 9


async def test_0021_is_answered_once_under_another_sequence_number(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        await unanswered(client, "0021")
        await client.until(lambda: len(client.stray) == 1)
        await client.until(lambda: len(client.receipts) == 1)
        await client.receipts_of(id_of(await client.submit(PREFIX + "0021")))

    assert client.stray[0].command_status == 0


async def test_0022_resets_the_connection_in_the_middle_of_the_first_answer(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        client.connection.send(submit_to(PREFIX + "0022"))
        await client.until(lambda: client.end is not None)
        assert client.responses == []

    async with bound(simulator.port) as client:
        await client.until(lambda: len(client.receipts) == 1)
        await client.receipts_of(id_of(await client.submit(PREFIX + "0022")))


@pytest.mark.parametrize("suffix", ["0023", "0024"])
async def test_0023_and_0024_silence_the_bind_and_the_receipt_comes_on_the_next(
    simulator: Simulator, suffix: str
) -> None:
    async with bound(simulator.port, response_timeout_seconds=0.3) as client:
        client.connection.send(submit_to(PREFIX + suffix))
        await client.until(lambda: client.unanswered == 1)
        client.connection.send(EnquireLink())
        await client.until(lambda: client.unanswered == 2 or client.end is not None)
        assert client.received == []

    async with bound(simulator.port) as client:
        await client.until(lambda: len(client.receipts) == 1)
        await client.receipts_of(id_of(await client.submit(PREFIX + suffix)))


async def test_0025_answers_the_first_and_unbinds(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        await client.submit(PREFIX + "0025")
        await client.until(lambda: client.end is not None)
        assert isinstance(client.end, SessionClosed)

    async with bound(simulator.port) as client:
        await client.submit(PREFIX + "0025")
        await client.until(lambda: len(client.receipts) == 2)


@pytest.mark.parametrize(("suffix", "length", "error"), [("0026", 8, "FramingError"), ("0027", 43, None)])
async def test_0026_and_0027_say_a_wrong_length(
    simulator: Simulator, suffix: str, length: int, error: str | None
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(encode(Pdu(0, 1, BindTransceiver(system_id="gateway", password="secret"))))
    await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
    writer.write(encode(Pdu(0, 2, submit_to(PREFIX + suffix))))
    said = await reader.readexactly(27)  # its real length
    writer.close()
    await writer.wait_closed()
    assert said[:8] == length.to_bytes(4, "big") + b"\x80\0\0\x04"

    if error is not None:
        async with bound(simulator.port) as client:
            client.connection.send(submit_to(PREFIX + suffix, short_message=b"another"))
            await client.until(lambda: client.end is not None)
        assert isinstance(client.end, SessionBroken)
        assert type(client.end.error).__name__ == error


async def test_0028_is_overtaken_by_receipts_of_later_messages(start: Start) -> None:
    async with start(receipts={"reorder_seconds": 0.2}) as simulator, bound(simulator.port) as client:
        ids = [id_of(await client.submit(PREFIX + suffix)) for suffix in ("0028", "1234")]
        await client.until(lambda: len(client.receipts) == 2)

    assert [receipt.message_id for receipt in client.receipts] == ids[::-1]


async def test_0029_gets_a_reply_of_the_subscriber(start: Start) -> None:
    async with start(inbound={"reply_delay_seconds": 0.05}) as simulator, bound(simulator.port) as client:
        await client.submit(PREFIX + "0029")
        await client.until(lambda: len(client.deliveries) == 2)

    [reply] = [delivery for delivery in client.deliveries if delivery.esm_class == 0]
    assert (reply.source_addr, reply.destination_addr, reply.short_message) == (PREFIX + "0029", "10690001", b"TD")


async def test_half_an_answer_is_half_an_answer(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(encode(Pdu(0, 1, BindTransceiver(system_id="gateway", password="secret"))))
    length = int.from_bytes(await reader.readexactly(4), "big")
    await reader.readexactly(length - 4)
    writer.write(encode(Pdu(0, 2, submit_to(PREFIX + "0022"))))
    half = await reader.readexactly(13)
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(14)
    writer.close()

    assert half == b"\0\0\0\x1b\x80\0\0\x04\0\0\0\0\0"  # 13 of 27 octets


async def test_other_messages_of_a_reset_connection_are_answered_before_it(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        client.connection.send(submit_to(PREFIX + "0006"))
        client.connection.send(submit_to(PREFIX + "0016"))
        client.connection.send(submit_to(PREFIX + "0006"))
        await client.until(lambda: client.end is not None)

    assert [type(response) for response in client.responses] == [ResponseReceived]
    assert isinstance(client.responses[0].request, SubmitSm)


async def test_special_numbers_can_be_switched_off(start: Start) -> None:
    async with start(outcomes={"special_numbers": False}) as simulator, bound(simulator.port) as client:
        response = await client.submit(PREFIX + "0010")
        [receipt] = await client.receipts_of(id_of(response))

    assert receipt.state is MessageState.DELIVERED


async def test_the_binds_of_one_account_do_not_see_those_of_another(start: Start) -> None:
    accounts = [{"system_id": "one"}, {"system_id": "two"}]
    async with (
        start(account=accounts) as simulator,
        bound(simulator.port, BindTransceiver, system_id="one") as one,
        bound(simulator.port, BindTransceiver, system_id="two") as two,
    ):
        response = await one.submit(PREFIX + "0019")
        await one.receipts_of(id_of(response))

    assert two.received == []
