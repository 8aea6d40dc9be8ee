"""Traffic to capture: a gateway and a simulator as processes, and a session in which everything happens that can."""

import asyncio
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from gateway.smpp import (
    BindTransmitter,
    Body,
    CancelSm,
    DataSm,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    QuerySm,
    ReplaceSm,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    TlvTag,
    Unbind,
    decode,
    encode,
    make_tlv,
)
from gateway.text import Coding
from loadtest.answers import read_results
from loadtest.board import Board, differences
from loadtest.clocks import offset_seconds, shifted_environment
from loadtest.configuration import Tables, account_of, change_binds, change_carriers, place, read_tables, to_toml
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.processes import Child
from loadtest.rig import Ports, Rig, RigSettings, start_rig
from loadtest.sample import Ending, Entry, read_sample, requests_of
from tests.interop.capture import capturing, find_free_port

WAIT_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.1
HOUR: Final = "10:00"  # in China, on the gateway's clock, so that no sending hours are in the way

CONFIG: Final = shipped("demo.toml")
ASKING_CARRIER: Final = "cmcc-a"  # which sends enquire_link; the others are sent it by the simulator
ASK_SECONDS: Final = 0.4
ASKED_SECONDS: Final = 0.7
PAIR_CARRIER: Final = "cbn-a"  # which has a transmitter and a receiver, and an account of its own
# Two that the demo has not, for texts abroad: the one cuts long texts itself and speaks Latin-1, the other UCS-2 only.
PAYLOAD_CARRIER: Final = "payload-a"
UCS2_CARRIER: Final = "ucs2-a"
LONG_TEXT: Final = {
    "cmcc-a": "udh_8",
    "cucc-a": "udh_16",
    "ctcc-a": "sar",
    PAIR_CARRIER: "udh_8",
    PAYLOAD_CARRIER: "message_payload",
    UCS2_CARRIER: "sar",
}
BINDS: Final = 7
PASSWORD: Final = "secret"


class Abroad(msgspec.Struct, frozen=True):
    """A message to a number that is kept for fiction. Abroad a text needs no signature, and so may fit GSM 7-bit."""

    to: str
    text: str
    coding: Coding
    parts: int
    valid_for_seconds: int = 86_400


ABROAD: Final = (
    Abroad("+12025550143", "The lift is back in service. Thanks for your patience!", Coding.GSM7, 1, 172_800),
    Abroad("+12025550156", "€12 {net} [~$13] | 'a' \\ \"b\" <&> @ home_5 ^ ¿à qué?\nÄÖÜ äöü ß", Coding.GSM7, 1, 3_661),
    Abroad("+447700900123", "Dear residents, on Thursday the water is off for work on the pump. " * 3, Coding.GSM7, 2),
    Abroad("+447700900456", "Each of these takes two places, and none may be cut: " + "€" * 120, Coding.GSM7, 2),
    Abroad("+447700900789", "🎉您的包裹已到前台，请于七日内领取📦" * 9, Coding.UCS2, 3),
    Abroad("+33639980123", "L'ascenseur est réparé. À bientôt, ça va ÿ @ ü!", Coding.GSM7, 1),
    Abroad("+33639980456", "Coupure d'eau jeudi de 9 h à 12 h, prévoyez une réserve. " * 5, Coding.GSM7, 1),
    Abroad("+33639980789", "本周四停水，请提前储水🙂。" * 12, Coding.UCS2, 1),
    Abroad("+61491570156", "The pool opens on Monday.", Coding.UCS2, 1),
    Abroad("+61491570157", "The pool opens on Monday, from nine to five. " * 4, Coding.UCS2, 3),
)
INBOUND: Final = (
    ("8613800001234", "退订"),
    ("8613800005678", "好的，明天下午三点以后家里有人，师傅直接上门就行🙂" * 4),
    ("8613800002345", "OK, thanks {all} | €5"),
)

# What the gateway does not say, or not yet: a client with no other part in the session says it.
CLIENT_NUMBER: Final = "8613800003456"
CLIENT_SUBMIT: Final = SubmitSm(
    destination_addr=CLIENT_NUMBER,
    schedule_delivery_time="000000000100000R",
    validity_period="300101000000032+",
    data_coding=Coding.UCS2,
    short_message="短信".encode("utf-16-be"),
)
QUERY_BROADCAST_SM: Final = 0x00000112  # of SMPP 5.0: tshark knows it, and the simulator does not

SIMULATOR_TABLES: Final[Tables] = {
    "smpp": {"enquire_link_seconds": ASKED_SECONDS},
    "account": [{"system_id": name, "password": PASSWORD} for name in ("gateway", "pair", "client")],
}


class Shown(msgspec.Struct, frozen=True):
    """A message as the API shows it, as far as it is looked at here."""

    id: str
    status: str
    to: str
    category: str
    text: str
    parts: list[dict[str, Any]]


class Traffic(msgspec.Struct, frozen=True):
    """The captured session, and what both sides say of it."""

    capture: Path
    port: int
    messages: list[Shown]
    journal: list[dict[str, Any]]


async def make_traffic(directory: Path) -> Traffic:
    """Run the session, and return when both sides have ended in order. Raises CannotRun."""
    port = find_free_port()
    shift = offset_seconds(HOUR, now=datetime.now(UTC))
    settings = RigSettings(
        config=CONFIG,
        tables=gateway_tables(),
        simulator_tables=SIMULATOR_TABLES,
        ports=Ports(smpp=port),
        gateway_environment=shifted_environment(shift, directory),
    )
    capture = directory / "session.pcapng"
    async with capturing(port, capture), start_rig(settings, directory) as rig, _http(rig) as http:
        session = Session(rig, http, directory)
        messages = await rig.during(session.run())
        if await rig.gateway.stop() != 0:
            raise CannotRun(f"the gateway did not end in order: {rig.gateway.log.read_text(encoding='utf-8')}")
        return Traffic(capture, port, messages, await session.journal())


def gateway_tables() -> Tables:
    """The demo's config, where one carrier has a transmitter and a receiver, and goes abroad as well."""

    def changed(carrier: Tables) -> Tables:
        [bind] = carrier["bind"]
        carrier = {**carrier, "long_text": LONG_TEXT[carrier["name"]]}
        if carrier["name"] == ASKING_CARRIER:
            return {**carrier, "bind": [{**bind, "enquire_link_seconds": ASK_SECONDS}]}
        if carrier["name"] != PAIR_CARRIER:
            return carrier
        pair = [{**bind, "system_id": "pair", "name": mode, "mode": mode} for mode in ("transmitter", "receiver")]
        return {**carrier, "networks": [*carrier["networks"], "other"], "bind": pair}

    def another(name: str, source: str, alphabet: str) -> Tables:
        carrier = change_carriers(read_tables(CONFIG), lambda each: each)["carrier"][0]
        [bind] = carrier["bind"]
        return {
            **carrier,
            "name": name,
            "networks": ["other"],
            "source": source,
            "alphabet": alphabet,
            "long_text": LONG_TEXT[name],
            "bind": [{**bind, "name": f"{name}-1"}],
        }

    tables = change_carriers(read_tables(CONFIG), changed)
    return {
        **tables,
        "carrier": [
            *tables["carrier"],
            another(PAYLOAD_CARRIER, "10690005", "latin1"),
            another(UCS2_CARRIER, "10690006", "ucs2"),
        ],
        "account": [{**account, "scopes": ["send", "read"]} for account in tables["account"]],  # operators see no codes
        "route": [
            {"prefixes": ["+33"], "carriers": [PAYLOAD_CARRIER]},
            {"prefixes": ["+61"], "carriers": [UCS2_CARRIER]},
            *tables["route"],
            {"networks": ["other"], "carriers": [PAIR_CARRIER]},
        ],
    }


@asynccontextmanager
async def _http(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    _, key = account_of(gateway_tables(), CONFIG)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        yield http


class Session:
    """Everything that happens between the first bind and the last unbind."""

    def __init__(self, rig: Rig, http: aiohttp.ClientSession, directory: Path) -> None:
        self._rig = rig
        self._http = http
        self._directory = directory

    async def run(self) -> list[Shown]:
        """Do it all, and return the messages as the API shows them at the end. Raises CannotRun."""
        await asyncio.gather(self._send_everything(), self._bind_with_a_wrong_password(), self._be_a_client())
        await asyncio.sleep(2 * ASKED_SECONDS)  # nothing but enquire_link
        await self._end_every_session()
        await self._receive_messages()
        async with self._http.get(f"{self._rig.api.base_url}/v1/messages", params={"limit": "1000"}) as answer:
            return msgspec.convert((await answer.json())["messages"], list[Shown])

    async def journal(self) -> list[dict[str, Any]]:
        """What the simulator saw, oldest first."""
        async with self._http.get(f"{self._rig.control.base_url}/journal", params={"text": "1"}) as answer:
            return [msgspec.json.decode(line) async for line in answer.content]

    async def _send_everything(self) -> None:
        """The sample and the messages abroad, all of which must end as they should."""
        abroad = [
            Entry(
                {
                    "to": each.to,
                    "text": each.text,
                    "valid_for_seconds": each.valid_for_seconds,
                    "client_ref": f"abroad-{each.to}",
                },
                Ending("delivered", each.parts),
                "abroad",
            )
            for each in ABROAD
        ]
        board = Board([*read_sample(shipped("demo/messages.jsonl")), *abroad])
        for request in requests_of(board.entries):
            board.take_results(request.entries, read_results(await self._rig.api.submit(request.body)))

        async def all_ended() -> bool:
            board.take_list([message async for page in self._rig.api.pages() for message in page])
            return board.finished == len(board.entries)

        await _until(all_ended, "every message has ended")
        if found := differences(board):
            raise CannotRun("the messages did not end as they should:\n" + "\n".join(found))

    async def _bind_with_a_wrong_password(self) -> None:
        """A second gateway, which is refused."""
        directory = self._directory / "refused"
        directory.mkdir()
        host, _, port = self._rig.smpp_address.rpartition(":")
        tables = place(gateway_tables(), gateway="127.0.0.1:0", simulator=(host, int(port)), store=directory / "store")
        config = directory / "gateway.toml"
        # It must not be asking again at the moment when it is stopped.
        once = {"password": "wrong", "reconnect_first_seconds": 60, "reconnect_longest_seconds": 60}
        config.write_text(to_toml(change_binds(tables, lambda bind: {**bind, **once})), encoding="utf-8")
        gateway = Child("gateway", (sys.executable, "-m", "gateway", "--config", str(config)), directory=directory)
        try:
            await self._until_journal_has(BINDS, lambda line: line["status"] == "ESME_RINVPASWD", "refused binds")
        finally:
            await gateway.stop()

    async def _be_a_client(self) -> None:
        """Say by hand what the gateway does not say, and wait for each answer."""
        host, _, port = self._rig.smpp_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        async def read() -> Pdu:
            head = await reader.readexactly(4)
            return decode(head + await reader.readexactly(int.from_bytes(head, "big") - 4))

        async def ask(request: bytes) -> Body:
            writer.write(request)
            while isinstance((answer := await read()).body, EnquireLink):  # from a simulator that had to wait long
                writer.write(encode(Pdu(0, answer.sequence_number, EnquireLinkResp())))
            return answer.body

        await ask(encode(Pdu(0, 1, BindTransmitter(system_id="client", password=PASSWORD))))
        submitted = await ask(encode(Pdu(0, 2, CLIENT_SUBMIT)))
        assert isinstance(submitted, SubmitSmResp)
        requests = _client_requests(submitted.message_id)
        for number, body in enumerate(requests, 3):
            await ask(encode(Pdu(0, number, body)))
        after = 3 + len(requests)
        await ask(_query_broadcast_sm(after))
        await ask(encode(Pdu(0, after + 1, Unbind())))
        writer.close()
        await writer.wait_closed()

    async def _end_every_session(self) -> None:
        """The simulator unbinds, and the gateway binds again."""
        await self._post("/unbind", {})
        binds = {f"bind_{mode}_resp" for mode in ("transmitter", "receiver", "transceiver")}

        def is_bound(line: dict[str, Any]) -> bool:
            return line["command"] in binds and line["status"] == "ESME_ROK" and line["system_id"] != "client"

        await self._until_journal_has(2 * BINDS, is_bound, "binds")

    async def _receive_messages(self) -> None:
        """What subscribers write, short and in parts."""
        before = sum(map(_is_taken, await self.journal()))
        parts = 0
        for source, text in INBOUND:
            answer = await self._post("/inbound", {"from": source, "to": "10690001", "text": text})
            parts += answer["parts"]
        await self._until_journal_has(before + parts, _is_taken, "deliver_sm acknowledged")

    async def _post(self, path: str, document: dict[str, str]) -> dict[str, Any]:
        async with self._http.post(f"{self._rig.control.base_url}{path}", json=document) as answer:
            if answer.status != 200:
                raise CannotRun(f"the simulator answers {answer.status} to POST {path}: {await answer.text()}")
            return dict(await answer.json())

    async def _until_journal_has(self, count: int, matches: Callable[[dict[str, Any]], bool], what: str) -> None:
        async def has() -> bool:
            return sum(map(matches, await self.journal())) >= count

        await _until(has, f"the journal has {count} {what}")


def _client_requests(message_id: str) -> tuple[Body, ...]:
    payload = make_tlv(TlvTag.MESSAGE_PAYLOAD, b"hello")
    return (
        QuerySm(message_id=message_id),
        QuerySm(message_id="none"),
        CancelSm(message_id=message_id, destination_addr=CLIENT_NUMBER),
        QuerySm(message_id=message_id),
        ReplaceSm(message_id=message_id, short_message=b"again"),
        DataSm(destination_addr=CLIENT_NUMBER, tlvs=(payload,)),
        SubmitMulti(dest_addresses=(SmeAddress(destination_addr=CLIENT_NUMBER),), tlvs=(payload,)),
    )


def _query_broadcast_sm(sequence_number: int) -> bytes:
    body = b"1\0" + bytes(3)  # message_id; source_addr_ton, source_addr_npi and source_addr
    return struct.pack(">IIII", 16 + len(body), QUERY_BROADCAST_SM, 0, sequence_number) + body


def _is_taken(line: dict[str, Any]) -> bool:
    return bool(line["command"] == "deliver_sm_resp")


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look until it is so. Raises CannotRun when that takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not await condition():
        if time.monotonic() >= deadline:
            raise CannotRun(f"after {WAIT_SECONDS:g} s it is not so that {what}")
        await asyncio.sleep(LOOK_SECONDS)
