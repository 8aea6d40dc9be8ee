"""The control HTTP of a running simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from gateway.smpp import CommandStatus
from simulator import Simulator
from tests.simulator.clients import bound, id_of, states, submit_to
from tests.simulator.conftest import Start

PHONE = "8613800001234"


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{simulator.control_address}") as session:
        yield session


async def lines_of(control: aiohttp.ClientSession, **query: str) -> list[dict[str, Any]]:
    async with control.get("/journal", params=query) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [json.loads(line) for line in (await response.read()).splitlines()]


async def test_it_says_that_it_runs(control: aiohttp.ClientSession) -> None:
    async with control.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_counts_tell_what_happened(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        await client.submit("8613800000010")
        await client.receipts_of(id_of(await client.submit(PHONE)))
        async with control.get("/counts") as response:
            counts = await response.json()

    assert (counts["submitted"], counts["accepted"], counts["refused"]) == (2, 1, {"ESME_RINVDSTADR": 1})
    assert counts["processed"] == 1
    assert counts["deliveries"] == {"DELIVRD": 1}
    assert counts["binds"] == {"gateway": 1}
    assert counts["pdus"]["in"]["bind_transceiver"] == {"ESME_ROK": 1}
    assert counts["journal"] == {"entries": counts["journal"]["entries"], "dropped": 0}


async def test_the_journal_has_all_that_is_about_one_number(
    simulator: Simulator, control: aiohttp.ClientSession
) -> None:
    async with bound(simulator.port) as client:
        await client.submit("8613800009999")
        message_id = id_of(await client.submit(PHONE))
        await client.receipts_of(message_id)
        await asyncio.sleep(0.05)
    lines = await lines_of(control, to=f"+{PHONE}", text="1")

    assert [(line["direction"], line["command"]) for line in lines] == [
        ("in", "submit_sm"),
        ("out", "submit_sm_resp"),
        ("out", "deliver_sm"),
        ("in", "deliver_sm_resp"),
    ]
    assert {line["bind"] for line in lines} == {"gateway-1"}
    assert lines[0]["text"] == "hello"
    assert lines[0]["taken_as"] == lines[1]["message_id"] == message_id
    assert f"id:{message_id} sub:001" in lines[2]["text"]


async def test_the_journal_can_be_read_on_from_a_number_and_a_time(
    simulator: Simulator, control: aiohttp.ClientSession
) -> None:
    async with bound(simulator.port) as client:
        await client.submit("8613800000006")
        [*_, last] = await lines_of(control)
        between = datetime.now(UTC)
        await client.submit("8613800000006", short_message=b"later")

    later = await lines_of(control, after=str(last["n"]), command="submit_sm")
    assert [line["short_message"] for line in later] == [b"later".hex()]
    for since in (between.isoformat(), str(between.timestamp())):
        assert await lines_of(control, since=since, command="submit_sm") == later


async def test_a_journal_longer_than_a_slice_comes_whole(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        for _ in range(800):
            client.connection.send(submit_to("8613800000006"))
            if client.connection.window_free == 0:
                await client.until(lambda: client.connection.window_free > 0)
        await client.until(lambda: len(client.responses) == 800)
    lines = await lines_of(control)

    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) >= 1602


async def test_the_journal_can_be_asked_for_the_first_and_for_the_last_few(
    simulator: Simulator, control: aiohttp.ClientSession
) -> None:
    async with bound(simulator.port) as client:
        for text in (b"one", b"two", b"three"):
            await client.submit("8613800000006", short_message=text)
    submits = await lines_of(control, command="submit_sm")

    assert await lines_of(control, command="submit_sm", limit="2") == submits[:2]
    assert await lines_of(control, command="submit_sm", last="2") == submits[1:]
    assert await lines_of(control, limit="0") == await lines_of(control, last="0") == []


async def test_a_summary_counts_what_is_asked_for(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        for suffix in ("0006", "0010", "0006"):
            await client.submit("861380000" + suffix)
    async with control.get("/journal/summary", params={"by": "phone,status", "command": "submit_sm_resp"}) as response:
        groups = (await response.json())["groups"]
    async with control.get("/journal/summary", params={"by": "weather"}) as response:
        assert response.status == 400

    assert [(group["phone"], group["status"], group["count"]) for group in groups] == [
        ("8613800000006", "ESME_ROK", 2),
        ("8613800000010", "ESME_RINVDSTADR", 1),
    ]
    assert groups[0]["first_n"] < groups[1]["first_n"] == groups[1]["last_n"] < groups[0]["last_n"]


async def test_what_is_to_come_in_days_comes_when_it_is_released(start: Start) -> None:
    async with (
        start(outcomes={"faults": {"receipt-late": 1}}) as simulator,
        aiohttp.ClientSession(f"http://{simulator.control_address}") as control,
        bound(simulator.port) as client,
    ):
        message_id = id_of(await client.submit(PHONE))
        assert simulator.counts()["deliveries_open"] == 1
        async with control.post("/receipts/release") as response:
            assert await response.json() == {"released": 1}
        await client.receipts_of(message_id)


async def test_a_page_of_another_origin_may_not_ask_for_anything_to_happen(
    simulator: Simulator, control: aiohttp.ClientSession
) -> None:
    async with control.post("/reset", headers={"Origin": "http://elsewhere.example"}) as response:
        assert response.status == 403
    async with control.post("/reset", headers={"Origin": f"http://{simulator.control_address}"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            {"phone": "1"},
            (
                "phone: unknown; known here are after, bind, command, direction, from, id, last, limit, since, smsc, "
                "stat, status, system_id, text, to, until"
            ),
        ),
        ({"direction": "up"}, "direction = 'up': must be in or out"),
        ({"limit": "all"}, "limit = 'all': must be a whole number"),
        ({"smsc": "north"}, "smsc = 'north': must be one of main"),
        ({"since": "noon"}, "since = 'noon': must be Unix time or RFC 3339"),
        ({"after": "-1"}, "after = '-1': must be the number of an entry"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    control: aiohttp.ClientSession, query: dict[str, str], error: str
) -> None:
    async with control.get("/journal", params=query) as response:
        assert (response.status, await response.json()) == (400, {"error": error})


async def test_a_reset_forgets(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        await client.submit(PHONE)
        async with control.post("/reset") as response:
            assert response.status == 200

    assert await lines_of(control, command="submit_sm") == []


@pytest.mark.parametrize(
    "body",
    [
        '{"outcomes": {"mix": {"EXPIRED": 1}}, "receipts": {"delay_seconds": 0}}',
        "[receipts]\ndelay_seconds = 0\n[outcomes]\nmix = { EXPIRED = 1 }",
    ],
)
async def test_a_scenario_comes_in_json_or_toml_and_is_answered_whole(
    simulator: Simulator, control: aiohttp.ClientSession, body: str
) -> None:
    async with bound(simulator.port) as client:
        async with control.post("/scenario", data=body) as response:
            document = await response.json()
        async with control.get("/scenario") as response:
            assert await response.json() == document
        await client.receipts_of(id_of(await client.submit(PHONE)))

    assert document["outcomes"]["mix"] == {"EXPIRED": 1.0}
    assert document["receipts"]["retry_seconds"] == 0.1  # as at the start
    assert states(client.receipts) == ["EXPIRED"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            '{"rate": {"segments_per_second": -1}, "receipts": {"form": "tlv"}}',
            "rate.segments_per_second = -1: must be 0 or more",
        ),
        ("[smpp]\nwindow = 1", "smpp = "),
        ("{", "the body: is not JSON"),
        ("= 1", "the body: is not TOML"),
        (b"\xff\xfe", "the body: is not TOML"),
    ],
)
async def test_a_scenario_with_a_fault_changes_nothing(
    simulator: Simulator, control: aiohttp.ClientSession, body: str | bytes, error: str
) -> None:
    before = simulator.smsc.scenario

    async with control.post("/scenario", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"].startswith(error)

    assert simulator.smsc.scenario is before


async def test_an_empty_scenario_is_that_of_the_start(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    before = simulator.smsc.scenario
    for body in ("[rate]\nsegments_per_second = 1", ""):
        async with control.post("/scenario", data=body) as response:
            assert response.status == 200

    assert simulator.smsc.scenario.rate == before.rate


async def test_an_inbound_message_needs_a_bind(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    message = {"from": "8613800001111", "to": "10690001", "text": "退订" * 50}
    async with control.post("/inbound", json=message) as response:
        assert response.status == 409

    async with bound(simulator.port) as client:
        async with control.post("/inbound", json=message) as response:
            assert (response.status, await response.json()) == (200, {"parts": 2})
        await client.until(lambda: len(client.deliveries) == 2)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"from": "1", "to": "2"}, "text: must be set"),
        ({"from": "", "to": "2", "text": "x"}, "from = '': must be 1 to 20 printable ASCII characters"),
        ({"from": "1", "to": "2" * 21, "text": "x"}, "to = '222222222222222222222': must be 1 to 20"),
        ({"from": "1", "to": "2", "text": "x", "when": 1}, "when = 1: unknown; known here are from, to, text"),
        ({"from": "1", "to": "2", "text": "x" * 40_000}, "262 parts, and at most 255 can be numbered"),
        ([], "the document = []: must be a table, and is a list"),
    ],
)
async def test_an_inbound_message_that_cannot_be_sent_is_refused(
    simulator: Simulator, control: aiohttp.ClientSession, message: object, error: str
) -> None:
    async with bound(simulator.port), control.post("/inbound", json=message) as response:
        assert response.status == 400
        assert (await response.json())["error"].startswith(error)


async def test_connections_can_be_dropped_and_unbound(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    for call in ("/drop", "/unbind"):
        async with bound(simulator.port) as client:
            async with control.post(call) as response:
                assert await response.json() == {"connections": 1}
            await client.until(lambda: client.end is not None)


async def test_metrics_are_what_prometheus_reads(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        await client.submit("8613800000010")
        await client.receipts_of(id_of(await client.submit(PHONE)))
        async with control.get("/metrics") as response:
            text = await response.text()

    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    status = CommandStatus.ESME_RINVDSTADR.name
    assert f'simulator_pdus_total{{command="submit_sm_resp",direction="out",smsc="main",status="{status}"}} 1.0' in text
    assert 'simulator_deliveries_total{kind="DELIVRD",smsc="main"} 1.0' in text
    assert 'simulator_binds{smsc="main",system_id="gateway"} 1.0' in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert all(name.startswith("simulator_") for name in names)
