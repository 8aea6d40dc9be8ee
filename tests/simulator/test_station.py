"""Phases, restarts and several SMSCs, over real sockets."""

import asyncio

import aiohttp
import pytest

from gateway.smpp import BindTransceiver, CommandStatus, QuerySm, SessionBroken, SessionClosed
from simulator import Simulator
from simulator.checking import SettingError
from simulator.scenario import read_scenario
from tests.simulator.clients import bound, connected, eventually, id_of, states, submit_to
from tests.simulator.conftest import Start

PHONE = "8613800001234"
BIND = BindTransceiver(system_id="gateway", password="secret")


def behave(simulator: Simulator, **document: object) -> None:
    simulator.change(read_scenario(document, simulator.settings))


async def test_phases_come_one_after_the_other_and_then_it_is_as_without(start: Start) -> None:
    phases = [
        {"seconds": 0.5, "outcomes": {"mix": {"EXPIRED": 1}}},
        {"seconds": 0.5, "outcomes": {"mix": {"REJECTD": 1}}},
    ]
    told: list[str] = []
    async with start() as simulator, bound(simulator.port) as client:
        behave(simulator, timeline={"phase": phases})
        while not told or told[-1] != "DELIVERED":
            told += states(await client.receipts_of(id_of(await client.submit(PHONE))))
        assert simulator.counts()["phase"] == 0

    assert list(dict.fromkeys(told)) == ["EXPIRED", "REJECTED", "DELIVERED"]
    assert told == sorted(told, key=["EXPIRED", "REJECTED", "DELIVERED"].index)


async def test_a_timeline_that_repeats_begins_again(start: Start) -> None:
    phases = [{"seconds": 0.02, "do": "unbind"}, {"seconds": 0.02}]
    async with start(timeline={"repeat": True, "phase": phases}) as simulator:
        for _ in range(2):
            async with bound(simulator.port) as client:
                await client.until(lambda client=client: client.end is not None)  # type: ignore[misc]
                assert isinstance(client.end, SessionClosed)


async def test_another_scenario_ends_the_timeline(start: Start) -> None:
    async with start(timeline={"phase": [{"seconds": 600, "outcomes": {"mix": {"EXPIRED": 1}}}]}) as simulator:
        assert simulator.counts()["phase"] == 1
        behave(simulator, timeline={"phase": []})

        async with bound(simulator.port) as client:
            await client.receipts_of(id_of(await client.submit(PHONE)))

    assert simulator.counts()["phase"] == 0
    assert states(client.receipts) == ["DELIVERED"]


async def test_a_phase_can_reset_every_connection(start: Start) -> None:
    async with start() as simulator, bound(simulator.port) as client:
        behave(simulator, timeline={"phase": [{"seconds": 600, "do": "reset"}]})
        await client.until(lambda: client.end is not None)

    assert isinstance(client.end, SessionBroken)


async def test_a_restart_lets_nobody_in_for_a_while_and_remembers(start: Start) -> None:
    async with start(receipts={"delay_seconds": 0.5}) as simulator, bound(simulator.port) as client:
        message_id = id_of(await client.submit(PHONE))
        port = simulator.port
        simulator.main.restart(memory=True, down_seconds=1.0, reuse_ids=False)
        await client.until(lambda: client.end is not None)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await eventually(lambda: simulator.main.is_listening)

        async with bound(port) as again:
            assert (await again.ask(QuerySm(message_id=message_id))).command_status == 0
            await again.receipts_of(message_id)

    assert simulator.counts()["restarts"] == 1


@pytest.mark.parametrize("reuse_ids", [True, False])
async def test_a_restart_without_memory_forgets_messages_and_their_receipts(start: Start, reuse_ids: bool) -> None:
    async with start(receipts={"delay_seconds": 0.3}) as simulator, bound(simulator.port) as client:
        forgotten = id_of(await client.submit(PHONE))
        simulator.main.restart(memory=False, down_seconds=0.01, reuse_ids=reuse_ids)
        await client.until(lambda: client.end is not None)
        await eventually(lambda: simulator.main.is_listening)

        async with bound(simulator.port) as again:
            status = (await again.ask(QuerySm(message_id=forgotten))).command_status
            message_id = id_of(await again.submit(PHONE))
            await again.receipts_of(message_id)

    assert status == CommandStatus.ESME_RQUERYFAIL
    assert (message_id == forgotten) is reuse_ids
    assert [receipt.message_id for receipt in again.receipts] == [message_id]
    assert simulator.counts()["deliveries_open"] == 0


async def test_a_share_of_binds_is_refused_and_the_same_ones_each_time(start: Start) -> None:
    async def statuses() -> list[int]:
        found = []
        async with start(binds={"refuse_with": "ESME_RBINDFAIL", "refused": 0.5}) as simulator:
            for _ in range(12):
                async with connected(simulator.port) as client:
                    found.append((await client.ask(BIND)).command_status)
        return found

    first = await statuses()

    assert set(first) == {0, CommandStatus.ESME_RBINDFAIL}
    assert await statuses() == first


async def test_a_full_queue_refuses_and_what_waits_gets_its_receipt_in_its_turn(start: Start) -> None:
    queue = {"drain_per_second": 20, "segments": 3, "refuse_with": "ESME_RMSGQFUL"}
    loop = asyncio.get_running_loop()
    async with start(queue=queue, receipts={"delay_seconds": 0}) as simulator, bound(simulator.port) as client:
        started = loop.time()
        for _ in range(5):
            client.connection.send(submit_to(PHONE))  # in one write
        await client.until(lambda: len(client.receipts) == 3)
        elapsed_seconds = loop.time() - started

    statuses = [response.command_status for response in client.responses]
    assert statuses == [0, 0, 0, CommandStatus.ESME_RMSGQFUL, CommandStatus.ESME_RMSGQFUL]
    assert elapsed_seconds >= 0.15


async def test_past_its_capacity_it_refuses_what_the_curve_says(start: Start) -> None:
    curve = [{"segments_per_second": 3}, {"segments_per_second": 4, "refused": 1}]
    async with (
        start(capacity={"curve": curve, "refuse_with": "ESME_RSYSERR"}) as simulator,
        bound(simulator.port) as client,
    ):
        for _ in range(5):
            client.connection.send(submit_to(PHONE))
        await client.until(lambda: len(client.responses) == 5)

    assert [response.command_status for response in client.responses] == [0, 0, 0, *[CommandStatus.ESME_RSYSERR] * 2]


async def test_several_smscs_are_each_their_own(start: Start) -> None:
    other = {"name": "other", "listen": "127.0.0.1:0", "outcomes": {"mix": {"EXPIRED": 1}}}
    async with start(smsc=[other]) as simulator:
        station = simulator.stations["other"]
        async with bound(simulator.port) as one, bound(station.port) as two:
            await one.receipts_of(id_of(await one.submit(PHONE)))
            await two.receipts_of(id_of(await two.submit(PHONE)))
            await two.receipts_of(id_of(await two.submit(PHONE)))
        async with aiohttp.ClientSession(f"http://{simulator.control_address}") as control:
            processed = []
            for query in ({}, {"smsc": "main"}, {"smsc": "other"}):
                async with control.get("/counts", params=query) as response:
                    processed.append((await response.json())["processed"])
            async with control.get("/metrics") as response:
                text = await response.text()

    assert states(one.receipts) == ["DELIVERED"]
    assert states(two.receipts) == ["EXPIRED", "EXPIRED"]
    assert processed == [1, 1, 2]
    assert 'simulator_processed_total{smsc="other"} 2.0' in text


async def test_an_smsc_whose_scenario_cannot_be_is_named(start: Start) -> None:
    other = {"name": "other", "listen": "127.0.0.1:0", "rate": {"segments_per_second": -1}}

    with pytest.raises(SettingError, match=r"smsc\[other\]\.rate\.segments_per_second = -1: must be 0 or more"):
        async with start(smsc=[other]):
            pass
