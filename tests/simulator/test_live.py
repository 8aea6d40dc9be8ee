"""What the live page is told, and that all of it is sent from here."""

import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.smpp import CommandId, CommandStatus
from simulator import Simulator
from simulator.journal import Entry, Journal, Origin, kind_of
from simulator.live import RECENT_SECONDS, Waits, recent_waits
from simulator.pages import page_files
from tests.simulator.clients import bound, eventually, id_of

PHONE = "8613800001234"


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{simulator.control_address}") as session:
        yield session


def entry(at: float, command: CommandId, number: int, *, incoming: bool, bind: str = "a", status: int = 0) -> Entry:
    return Entry(at, kind_of(incoming, command, status), Origin(bind, "gateway"), number, PHONE, None)


def exchange(asked_at: float, answered_at: float, number: int, **about: str) -> list[Entry]:
    return [
        entry(asked_at, CommandId.SUBMIT_SM, number, incoming=True, **about),  # type: ignore[arg-type]
        entry(answered_at, CommandId.SUBMIT_SM_RESP, number, incoming=False, **about),  # type: ignore[arg-type]
    ]


def test_waits_are_from_a_request_to_the_answer_with_its_number_on_its_bind() -> None:
    entries = [
        entry(100.0, CommandId.SUBMIT_SM, 1, incoming=True),
        entry(100.5, CommandId.SUBMIT_SM, 1, incoming=True, bind="b"),
        entry(100.5, CommandId.DELIVER_SM, 1, incoming=False),
        entry(101.0, CommandId.SUBMIT_SM_RESP, 1, incoming=False, status=CommandStatus.ESME_RTHROTTLED),
        entry(101.25, CommandId.DELIVER_SM_RESP, 1, incoming=True),
        entry(109.0, CommandId.ENQUIRE_LINK, 1, incoming=True),
    ]

    assert recent_waits(entries, now=102.0) == {
        "submit_sm": Waits(1, 1.0, 1.0, 1.0),
        "deliver_sm": Waits(1, 0.75, 0.75, 0.75),
    }


def test_of_a_hundred_waits_the_shares_are_told() -> None:
    entries = [each for number in range(100) for each in exchange(10.0, 10.0 + number, number)]

    assert recent_waits(entries, now=10.0)["submit_sm"] == Waits(100, 50.0, 90.0, 99.0)


def test_only_answers_of_late_and_those_whose_request_is_known_are_timed() -> None:
    entries = [*exchange(0.0, 1.0, 1), *exchange(50.0, 52.0, 2), *exchange(50.0, 51.0, 3)[1:]]

    assert recent_waits(entries, now=1.0 + RECENT_SECONDS + 0.1)["submit_sm"] == Waits(1, 2.0, 2.0, 2.0)


def test_without_answers_there_are_no_waits() -> None:
    assert recent_waits([], now=0.0) == {"submit_sm": Waits(), "deliver_sm": Waits()}


def test_a_journal_gives_its_newest_entries_oldest_first() -> None:
    journal = Journal(10)
    for number in range(15):
        journal.record(entry(0.0, CommandId.SUBMIT_SM, number, incoming=True))

    assert [each.sequence_number for each in journal.newest(3)] == [12, 13, 14]
    assert len(journal.newest(100)) == 10


async def test_what_the_page_is_told_is_what_is_so(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        await client.receipts_of(id_of(await client.submit("8613800000009")), 2)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)
        async with control.post(
            "/scenario", json={"outcomes": {"faults": {"reset": 0.5}}, "wire": {"write_octets": 9}}
        ):
            pass
        async with control.get("/live") as response:
            live = await response.json()

    [smsc] = live["smscs"]
    [bind] = smsc["binds"]
    assert (smsc["name"], smsc["address"], smsc["listening"]) == ("main", simulator.address, True)
    assert (smsc["phase"], smsc["silent"], smsc["binds_refused_with"]) == (None, False, "")
    assert smsc["counts"]["processed"] == 1
    assert smsc["counts"]["faults"] == {"receipt-twice": 1}
    assert {name: share for name, share in smsc["faults"].items() if share} == {"reset": 0.5}
    assert smsc["waits"]["submit_sm"]["count"] == 1
    assert smsc["waits"]["deliver_sm"]["count"] == 2
    assert (bind["name"], bind["mode"], bind["state"], bind["submits"]) == ("gateway-1", "transceiver", "up", 1)


async def test_the_page_names_its_phase(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    for name, shown in (("lunch", "lunch"), ("", "phase 1 of 1")):
        document = {"timeline": {"phase": [{"seconds": 600, "name": name}]}}
        async with control.post("/scenario", json=document) as response:
            assert response.status == 200
        async with control.get("/live") as response:
            assert (await response.json())["smscs"][0]["phase"] == shown


async def test_the_scenario_that_is_told_can_be_asked_for_as_it_is(
    simulator: Simulator, control: aiohttp.ClientSession
) -> None:
    document = {
        "rule": [{"to": "*1", "refuse_with": "ESME_RSYSERR"}, {"to": "*2", "faults": ["reset"], "delay_seconds": 1}],
        "timeline": {"phase": [{"seconds": 600, "do": "reset", "rate": {"segments_per_second": 5}}]},
        "receipts": {"delay_seconds": {"kind": "log-normal", "median": 1}},
    }
    async with control.post("/scenario", json=document) as response:
        told = await response.json()
    before = simulator.main.scenario
    async with control.post("/scenario", data=json.dumps(told)) as response:
        assert (response.status, await response.json()) == (200, told)

    assert simulator.main.scenario == before


async def test_the_page_and_its_files_are_sent_and_nothing_else_is(control: aiohttp.ClientSession) -> None:
    async with control.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        page = await response.text()
    named = re.findall(r'(?:href|src)="(/[^"]*)"', page)
    assert sorted(named) == [f"/page/{name}" for name in page_files() if name != "index.html"]
    for path in named:
        async with control.get(path) as response:
            assert response.status == 200
            assert "://" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")
    for path in ("/page/..%2flive.py", "/page/live.py", "/page/"):
        async with control.get(path) as response:
            assert response.status == 404


async def test_metrics_tell_faults_and_waits(simulator: Simulator, control: aiohttp.ClientSession) -> None:
    async with bound(simulator.port) as client:
        await client.receipts_of(id_of(await client.submit("8613800000009")), 2)
        async with control.get("/metrics") as response:
            text = await response.text()

    assert 'simulator_faults_total{fault="receipt-twice",smsc="main"} 1.0' in text
    assert 'simulator_listening{smsc="main"} 1.0' in text
    assert 'simulator_connections{smsc="main"} 1.0' in text
    assert 'simulator_recent_answer_seconds{command="submit_sm",quantile="0.99",smsc="main"}' in text
