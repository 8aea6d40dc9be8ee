"""Kannel as a user runs it: bearerbox and smsbox from Debian's packages, file store, one SMPP transceiver.

Its API takes one message a request, by GET; receipts go to a URL that every request names.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from loadtest.errors import CannotRun
from loadtest.plan import PlannedMessage
from loadtest.processes import Child
from loadtest.texts import SIGNATURE

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 20.0
FINAL_RECEIPTS: Final = "3"  # delivered, and not
_LOOK_SECONDS: Final = 0.05
_PLACES: Final = "/usr/sbin:/usr/local/sbin:/usr/bin"

_CONFIG: Final = """
group = core
admin-port = {admin}
admin-password = load
smsbox-port = {boxes}
log-level = 3
store-type = file
store-location = "{directory}/kannel.store"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = simulator
host = {smpp_host}
port = {smpp_port}
smsc-username = gateway
smsc-password = secret
system-type = ""
transceiver-mode = true
max-pending-submits = 100

group = smsbox
bearerbox-host = {host}
sendsms-port = {sendsms}
log-level = 3

group = sendsms-user
username = load
password = load
max-messages = 10
concatenation = true
"""


class Kannel:
    """A running Kannel, and the application that its reports go to: one a message, whatever its parts."""

    def __init__(self, sendsms_url: str, session: aiohttp.ClientSession) -> None:
        self._sendsms_url = sendsms_url
        self._receipt_url = ""
        self._session = session
        self._receipts = 0

    def receipts_at(self, url: str) -> None:
        """Where reports are to go."""
        self._receipt_url = url

    async def send_each(self, waiting: Iterator[PlannedMessage]) -> None:
        """Send the next message that waits, until none does. Raises CannotRun when one is not taken."""
        for message in waiting:
            query = {
                "username": "load",
                "password": "load",
                "from": "10690001",
                "to": message.to,
                "text": SIGNATURE + message.text,
                "coding": "2",
                "charset": "UTF-8",
                "dlr-mask": FINAL_RECEIPTS,
                "dlr-url": self._receipt_url,
            }
            async with self._session.get(self._sendsms_url, params=query) as response:
                if response.status not in {200, 202}:
                    raise CannotRun(f"Kannel answers {response.status}: {(await response.text())[:200]}")

    async def count_receipts(self) -> int:
        """How many messages have had their report."""
        return self._receipts

    async def take_receipt(self, _: web.Request) -> web.Response:
        """One delivery report."""
        self._receipts += 1
        return web.Response(text="ok")


@asynccontextmanager
async def running_kannel(smpp: str, directory: Path, *, connections: int) -> AsyncIterator[Kannel]:
    """Start both boxes against an SMSC, and end them. Raises CannotRun where they are not installed."""
    bearerbox, smsbox = (shutil.which(name, path=_PLACES) for name in ("bearerbox", "smsbox"))
    if bearerbox is None or smsbox is None:
        raise CannotRun("bearerbox and smsbox are not here: install Debian's package kannel")
    admin, boxes, sendsms = _free_ports(3)
    smpp_host, _, smpp_port = smpp.rpartition(":")
    config = directory / "kannel.conf"
    config.write_text(
        _CONFIG.format(
            admin=admin,
            boxes=boxes,
            sendsms=sendsms,
            directory=directory,
            host=HOST,
            smpp_host=smpp_host,
            smpp_port=smpp_port,
        ),
        encoding="utf-8",
    )
    first = Child("bearerbox", (bearerbox, str(config)), directory=directory)
    second: Child | None = None
    runner: web.AppRunner | None = None
    try:
        await _wait_for_port(admin, first)
        second = Child("smsbox", (smsbox, str(config)), directory=directory)
        await _wait_for_port(sendsms, second)
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            app = web.Application()
            runner = web.AppRunner(app, access_log=None)
            kannel = Kannel(f"http://{HOST}:{sendsms}/cgi-bin/sendsms", session)
            app.router.add_get("/receipt", kannel.take_receipt)
            await runner.setup()
            await web.TCPSite(runner, HOST, 0).start()
            kannel.receipts_at(f"http://{HOST}:{runner.addresses[0][1]}/receipt")
            await _wait_for_bind(session, admin, first)
            yield kannel
    finally:
        if runner is not None:
            await runner.cleanup()
        if second is not None:
            await second.stop()
        await first.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


async def _wait_for_port(port: int, child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        child.check()
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            if time.monotonic() >= deadline:
                raise CannotRun(f"Kannel's {child.name} does not listen on port {port}") from None
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            writer.close()
            return


async def _wait_for_bind(session: aiohttp.ClientSession, admin: int, child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        child.check()
        async with session.get(f"http://{HOST}:{admin}/status.txt", params={"password": "load"}) as response:
            if "online" in (await response.text()):
                return
        await asyncio.sleep(_LOOK_SECONDS)
    raise CannotRun("Kannel does not bind to the simulator")
