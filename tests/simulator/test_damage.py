"""What a broken client sends must not disturb the others."""

import asyncio
import contextlib
import random
from typing import Any

from gateway.smpp import BindTransceiver, Body, DeliverSmResp, EnquireLink, Pdu, QuerySm, SubmitSm, Unbind, encode
from simulator import Simulator
from tests.simulator.clients import bound, id_of

BODIES: list[Body] = [
    BindTransceiver(system_id="gateway", password="secret"),
    EnquireLink(),
    SubmitSm(destination_addr="8613800001234", registered_delivery=0x1F, esm_class=0x40, short_message=b"\x05\x00\x03"),
    SubmitSm(destination_addr="8613800000008", registered_delivery=1, data_coding=8, short_message=b"\xd8"),
    QuerySm(message_id="1000000001"),
    DeliverSmResp(),
    Unbind(),
]
CONVERSATION = b"".join(encode(Pdu(0, number, body)) for number, body in enumerate(BODIES, 1))
BIND_BYTES = len(encode(Pdu(0, 1, BODIES[0])))


async def say(port: int, data: bytes) -> None:
    """Write `data` and close, whatever the simulator makes of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def check_sound(simulator: Simulator, streams: list[bytes]) -> None:
    """Say each of `streams`, and see that no error escapes and that a good client is served as before."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with bound(simulator.port) as client:
        for data in streams:
            await say(simulator.port, data)
        await client.receipts_of(id_of(await client.submit("8613800005678")))
    assert errors == []


async def test_a_conversation_cut_off_anywhere_disturbs_nobody(simulator: Simulator) -> None:
    await check_sound(simulator, [CONVERSATION[:end] for end in range(len(CONVERSATION) + 1)])


async def test_damaged_conversations_disturb_nobody(simulator: Simulator) -> None:
    chance = random.Random(1)
    streams = []
    for _ in range(300):
        data = bytearray(CONVERSATION)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(BIND_BYTES, len(data))] = chance.randrange(256)
        streams.append(bytes(data))

    await check_sound(simulator, streams)


async def test_lengths_that_no_pdu_has_disturb_nobody(simulator: Simulator) -> None:
    lengths = [0, 1, 15, 0x7FFFFFFF, 0xFFFFFFFF]

    await check_sound(simulator, [length.to_bytes(4, "big") + CONVERSATION[4:] for length in lengths])


async def test_a_submit_before_the_bind_is_refused_and_in_the_journal(simulator: Simulator) -> None:
    submit = SubmitSm(destination_addr="8613800001234")
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(encode(Pdu(0, 9, submit)))
    header = await reader.readexactly(16)
    writer.close()
    await writer.wait_closed()

    assert header[4:] == bytes.fromhex("80000004 00000004 00000009")  # ESME_RINVBNDSTS
    [entry] = simulator.journal
    assert (entry.bind, entry.command_id, entry.command_status, entry.sequence_number) == ("connection-1", 4, 4, 9)
