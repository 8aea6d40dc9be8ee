"""The simulator's live page in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator import Settings, Simulator
from simulator.checking import settings_from
from tests.interop.browser import PATIENCE_SECONDS, Browser, browsing
from tests.simulator.clients import Client, bound, eventually

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

PHONE = "8613800001234"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    free = {"listen": "127.0.0.1:0"}
    other = {"name": "other", "listen": "127.0.0.1:0"}
    document = {"smpp": free, "control": free, "receipts": {"delay_seconds": 0.02}, "smsc": [other]}
    async with Simulator(settings_from(document, Settings)) as running:
        yield running


@pytest.fixture
async def browser(simulator: Simulator, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing(tmp_path) as opened:
        await opened.open(f"http://{simulator.control_address}/")
        await opened.until("document.getElementById('address').textContent !== ''")
        yield opened
        assert await opened.complaints() == []


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Client]:
    async with bound(simulator.port) as connected:
        yield connected


def row(table: str, text: str) -> str:
    """A JavaScript expression that is true when a row of a table has a text."""
    return f"[...document.querySelectorAll('#{table} tr')].some((row) => row.innerText.includes('{text}'))"


async def test_it_shows_binds_rates_latencies_and_the_last_messages(
    simulator: Simulator, browser: Browser, client: Client
) -> None:
    for number in range(4):
        await client.submit(f"861380000{number + 1000}", short_message="停水通知".encode("utf-16-be"), data_coding=8)
    await client.submit("8613800000010")
    await client.until(lambda: len(client.receipts) == 4)

    # First, for it is forgotten after ten seconds.
    await browser.until(row("waits", "submit_sm, by the simulator\\t5") + " && " + row("waits", "by its clients\\t4"))
    assert "ms" in await browser.text("#waits")
    await browser.until(row("messages", "停水通知"))
    await browser.until(row("messages", "ESME_RINVDSTADR"))
    await browser.until(row("messages", "DELIVRD 1000000004"))
    await browser.until(row("binds", "gateway-1"))
    await browser.until("document.getElementById('processed').textContent === '4'")
    assert await browser.text("#address") == simulator.address
    points = await browser.run("return document.querySelector('#chart .submits').getAttribute('points')")
    assert len(points.split()) >= 1
    assert len(await browser.screenshot()) > 20_000  # it is no empty page


async def test_a_subscriber_can_be_let_write(simulator: Simulator, browser: Browser, client: Client) -> None:
    await browser.type("#inbound [name=from]", "8613911112222")
    await browser.type("#inbound [name=text]", "退订")
    await browser.click("#inbound button")
    await client.until(lambda: len(client.deliveries) == 1)

    assert client.deliveries[0].source_addr == "8613911112222"
    assert client.deliveries[0].short_message == "退订".encode("utf-16-be")
    await browser.until("document.getElementById('sent').textContent === 'sent in 1 part(s)'")
    await browser.until(row("messages", "退订"))


async def test_what_cannot_be_done_is_said(browser: Browser) -> None:
    await browser.click("#inbound button")  # nobody is bound

    await browser.until("document.getElementById('error').textContent === 'no bind is there that receives'")
    await browser.complaints()  # the browser logs the answer 409 itself


async def test_faults_go_on_and_off(simulator: Simulator, browser: Browser, client: Client) -> None:
    await browser.type("#fault-receipt-twice .share", "1")
    await browser.click("#fault-receipt-twice [type=checkbox]")
    await eventually(lambda: simulator.smsc.scenario.outcomes.faults == {"receipt-twice": 1.0})
    await client.submit(PHONE)
    await client.until(lambda: len(client.receipts) == 2)
    await browser.until("document.querySelector('#fault-receipt-twice td:last-child').textContent === '1'")

    await browser.click("#fault-receipt-twice [type=checkbox]")
    await eventually(lambda: simulator.smsc.scenario.outcomes.faults == {})


async def test_silence_and_refused_binds_are_switches(simulator: Simulator, browser: Browser) -> None:
    await browser.click("#silent")
    await eventually(lambda: simulator.smsc.scenario.wire.silent)
    await browser.until("document.getElementById('state').textContent === 'silent'")
    await browser.click("#silent")
    await browser.click("#refuse")
    await eventually(lambda: simulator.smsc.scenario.binds.refuse_with == "ESME_RSYSERR")

    assert not simulator.smsc.scenario.wire.silent


async def test_connections_are_reset_and_a_restart_is_seen(
    simulator: Simulator, browser: Browser, client: Client
) -> None:
    await browser.click("[data-post='/drop']")
    await client.until(lambda: client.end is not None)
    await browser.click("[data-body='{\"memory\": false}']")
    await eventually(lambda: simulator.main.restarts == 1)

    await browser.until("document.getElementById('state').textContent === 'down'")
    await browser.until("document.getElementById('state').textContent === 'up'")


async def test_a_scenario_is_taken_and_taken_back(simulator: Simulator, browser: Browser) -> None:
    await browser.type("#scenario", "[outcomes]\nmix = { EXPIRED = 0.5 }")
    await browser.click("#behave")
    await browser.until("document.getElementById('chances').textContent === 'receipts: EXPIRED 0.5'")
    await browser.click("#as-at-start")
    await eventually(lambda: simulator.smsc.scenario.outcomes.mix == {})


async def test_a_text_is_shown_and_not_run(browser: Browser, client: Client) -> None:
    text = "<img src=x onerror=\"document.title='run'\">"
    await client.submit(PHONE, short_message=text.encode())

    await browser.until(row("messages", "<img src=x"))
    assert await browser.run("return document.title") == "SMSC simulator"


async def test_another_smsc_can_be_looked_at(simulator: Simulator, browser: Browser) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), bound(simulator.stations["other"].port) as client:
        await client.submit(PHONE)
        await browser.run(
            "const smsc = document.getElementById('smsc');smsc.value = 'other'; smsc.dispatchEvent(new Event('change'))"
        )

        await browser.until("document.getElementById('processed').textContent === '1'")
        await browser.until(row("binds", "gateway-1"))
    assert simulator.counts()["processed"] == 0
