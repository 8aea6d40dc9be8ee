"""Where the ledger has its journals and records from."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from simulator import Simulator
from simulator.ledger import main
from simulator.records import CannotRead, Record, read_journal, read_records
from tests.simulator.clients import bound, eventually, id_of
from tests.simulator.conftest import Start

TO = "8613800001234"


@pytest.fixture
async def gateway() -> AsyncIterator[str]:
    """An address that lists two pages of messages, as a gateway does to who has its key."""
    newest = {"id": "2", "to": f"+{TO}", "status": "submitted", "text": "moon", "parts": [], "category": "otp"}
    attempts = [{"carrier_message_id": None, "error": "lost"}, {"carrier_message_id": "1000000001", "at": "now"}]
    oldest = {
        "id": "1",
        "to": f"+{TO}",
        "status": "delivered",
        "text": "hello",
        "parts": [{"n": 1, "attempts": attempts}],
    }

    async def messages(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer key":
            return web.json_response({"code": "unauthorized"}, status=401)
        if "cursor" in request.query:
            return web.json_response({"messages": [oldest], "cursor": None})
        return web.json_response({"messages": [newest], "cursor": "next"})

    app = web.Application()
    app.router.add_get("/v1/messages", messages)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_records_come_from_a_gateway_page_by_page_with_their_ids(gateway: str) -> None:
    assert await read_records(gateway, key="key") == [
        Record("1", f"+{TO}", "hello", "delivered", ("1000000001",)),
        Record("2", f"+{TO}", "moon", "submitted"),
    ]


async def test_a_gateway_that_refuses_is_named(gateway: str) -> None:
    with pytest.raises(CannotRead, match=f"{gateway}/v1/messages: answered 401"):
        await read_records(gateway)


async def test_nobody_at_an_address_is_named() -> None:
    with pytest.raises(CannotRead, match=r"http://127\.0\.0\.1:1/"):
        await read_journal("http://127.0.0.1:1")


async def test_the_command_asks_both_running_programs(
    simulator: Simulator, gateway: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bound(simulator.port) as client:
        await client.receipts_of(id_of(await client.submit(TO)))
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)
    control = f"http://{simulator.control_address}"

    code = await asyncio.to_thread(main, [control, gateway, "--key", "key", "--complete"])

    assert code == 1
    assert capsys.readouterr().out == (
        f"lost 2 to +{TO}: parts [1] of 1 were never processed\n"
        "records=2 lost=1 duplicated=0 misordered=0 mis-stated=0 unrecorded=0\n"
    )


async def test_journals_of_several_smscs_are_one(start: Start, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    texts = {"one": "delivered", "two": "delivered"}
    lines = [json.dumps({"id": text, "to": TO, "text": text, "status": told}) for text, told in texts.items()]
    records.write_text("\n".join(lines))
    async with start(
        smsc=[{"name": "other", "listen": "127.0.0.1:0", "outcomes": {"mix": {"EXPIRED": 1}}}]
    ) as simulator:
        for port, text in ((simulator.port, b"one"), (simulator.stations["other"].port, b"two")):
            async with bound(port) as client:
                await client.receipts_of(id_of(await client.submit(TO, short_message=text)))
        await eventually(lambda: all(not each.counts()["deliveries_open"] for each in simulator.stations.values()))
        control = f"http://{simulator.control_address}"
        code = await asyncio.to_thread(main, [control, f"{control}?smsc=other", str(records)])

    assert code == 1  # the second was not delivered, though both have the same message id


async def test_a_journal_that_has_dropped_entries_says_nothing(start: Start) -> None:
    async with start(memory={"journal_entries": 2}) as simulator:
        async with bound(simulator.port) as client:
            await client.submit(TO)
        with pytest.raises(CannotRead, match="has dropped"):
            await read_journal(f"http://{simulator.control_address}")


@pytest.mark.parametrize(("content", "error"), [(None, "No such file"), ("{}", "line 1: "), ("[", "line 1: ")])
async def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    records = tmp_path / "records.jsonl"
    if content is not None:
        records.write_text(content)

    with pytest.raises(CannotRead, match=f"records.jsonl.*{error}"):
        await read_records(str(records))
    assert await asyncio.to_thread(main, [str(records), str(records)]) == 2
    assert "records.jsonl" in capsys.readouterr().err
