"""The operations page in a real browser, in front of a real gateway at work."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping
from tests.integration.test_review import ask
from tests.interop.browser import Browser, browsing

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

TEXT = "3号楼明日9时至16时停水，请提前储水。"
FREE = {"listen": "127.0.0.1:0"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    (tmp_path / "simulator").mkdir()
    (tmp_path / "gateway").mkdir()
    receipts = {"delay_seconds": 0.05}
    async with running_simulator({"smpp": FREE, "control": FREE, "receipts": receipts}, tmp_path / "simulator") as (
        smpp,
        _,
    ):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="wait")
        tables["account"][0]["scopes"] = ["send", "read", "operate"]
        async with stopping(Gateway(tables, tmp_path / "gateway")) as running:
            await running.start()
            yield running


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[Browser]:
    # Not in the test's own directory: Chromium puts a socket there, whose path may have 107 octets.
    with tempfile.TemporaryDirectory(prefix="page-") as directory:
        async with browsing(Path(directory)) as opened:
            await opened.open(gateway.url + "/")
            await opened.until("document.getElementById('language').textContent !== ''")
            yield opened


async def enter(browser: Browser, key: str = KEY) -> None:
    await browser.type("#key", key)
    await browser.click("#enter button")


def shows(selector: str, text: str) -> str:
    """A JavaScript expression that is true when an element has a text."""
    return f"document.querySelector('{selector}').innerText.includes('{text}')"


async def submit(gateway: Gateway, to: str, **members: Any) -> Any:
    _, answer = await ask(gateway, "POST", "/v1/messages", json={"to": to, "text": TEXT, **members})
    return answer


async def test_it_shows_a_gateway_at_work_and_finds_a_message_with_its_timeline(
    gateway: Gateway, browser: Browser, tmp_path: Path
) -> None:
    await enter(browser)
    await browser.until(shows("#carriers", "one"))
    for n in range(40):
        await submit(gateway, f"1380010{n + 1000}")
    failing = await submit(gateway, "13800120010")  # the simulator refuses numbers that end so
    refused = await submit(gateway, "13800131234", text=f"★{TEXT}")
    assert refused["code"] == "forbidden_symbol"
    await browser.until(shows("#reasons", "forbidden_symbol"))
    await browser.until(shows("#refusals", "138****1234"))
    await browser.until(shows("#failures", failing["id"]))
    await browser.until("parseFloat(document.getElementById('delivery').textContent) > 80")
    assert await browser.run("return document.querySelector('#chart .accepted').getAttribute('points').length") > 5

    await browser.type("#wanted", "138 0010 1003")
    await browser.click("#search button")
    await browser.until(shows("#found", "+8613800101003") + " && " + shows("#found", "delivered"))
    await browser.type("#wanted", failing["id"])
    await browser.click("#search button")
    await browser.until(shows("#found", failing["id"]) + " && " + shows("#found", "failed"))
    await browser.type("#wanted", "13800131234")
    await browser.click("#search button")
    await browser.until(shows("#found", "forbidden_symbol"))

    await browser.type("#try-to", "13800139999")
    await browser.type("#try-text", TEXT)
    await browser.click("#try button")
    await browser.until(shows("#verdict", "accept") + " && " + shows("#routes", "carrier"))
    await asyncio.sleep(2.5)  # one more look, so that the picture has a chart
    (tmp_path / "page.png").write_bytes(await browser.screenshot())
    assert await browser.complaints() == []


async def test_a_carrier_is_paused_and_goes_on(gateway: Gateway, browser: Browser) -> None:
    await enter(browser)
    await browser.until("document.querySelector('[data-action=pause]') !== null")
    await browser.run("window.confirm = () => true")
    await browser.click("[data-action=pause]")
    await browser.until(shows("#carriers", "paused"))
    assert (await gateway.get("/v1/carriers"))["carriers"][0]["state"] == "paused"

    await browser.click("[data-action=resume]")
    await browser.until(shows("#carriers", "up"))
    assert await browser.complaints() == []


async def test_it_speaks_both_languages_and_forgets_the_key(gateway: Gateway, browser: Browser) -> None:
    await enter(browser)
    await browser.until(shows("#carriers", "one"))
    english = await browser.text("main")
    await browser.click("#language")
    await browser.until(shows("main", "通道") if "通道" not in english else shows("main", "Carriers"))
    assert await browser.run("return [localStorage.length, document.cookie]") == [0, ""]

    await browser.click("#leave")
    await browser.until("document.getElementById('board').hidden")
    assert KEY not in msgspec.json.encode(await browser.run("return {...sessionStorage}")).decode()


async def test_a_wrong_key_shows_nothing_and_says_so(gateway: Gateway, browser: Browser) -> None:
    await enter(browser, "no-such-key")
    await browser.until("document.getElementById('error').textContent !== ''")

    assert await browser.run("return document.getElementById('board').hidden")
    assert await browser.run("return sessionStorage.getItem('yizhan-key')") is None


async def test_what_an_action_could_not_do_is_said_until_the_next_action(gateway: Gateway, browser: Browser) -> None:
    await enter(browser)
    await browser.until(shows("#carriers", "one"))
    await browser.type("#wanted", "119149374667227136")  # nobody's id
    await browser.click("#search button")
    await browser.until(shows("#error", "no message"))
    await asyncio.sleep(4.5)  # two looks
    assert "no message" in await browser.text("#error")

    await browser.type("#wanted", "13800131234")
    await browser.click("#search button")
    await browser.until("document.getElementById('error').textContent === ''")


async def test_a_text_is_shown_and_not_run(gateway: Gateway, browser: Browser) -> None:
    sent = await submit(gateway, "13800131111", text="<img src=x onerror=\"document.title='run'\">")
    await enter(browser)
    await browser.type("#wanted", sent["id"])
    await browser.click("#search button")

    await browser.until(shows("#found", "<img src=x"))
    assert await browser.run("return document.title") == "Yizhan 驿站"
