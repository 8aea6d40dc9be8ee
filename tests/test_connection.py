"""Connections: both ends over real sockets, on both loops, with and without TLS."""

import asyncio
import contextlib
import functools
import inspect
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway import connection as connection_module
from gateway.connection import SLICE_BYTES, Connection, open_connection, serve
from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    ConnectionLost,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Event,
    FramingError,
    LocalProtocolError,
    Outbind,
    Pdu,
    PeerSilent,
    PeerTooSlow,
    PeerUnbound,
    RequestReceived,
    ResponseReceived,
    Role,
    SessionBroken,
    SessionClosed,
    SessionNotInitiated,
    SessionSettings,
    State,
    SubmitSm,
    SubmitSmResp,
    Unanswered,
    encode,
)
from tests.certificates import make_certificates, server_context

HELLO = SubmitSm(source_addr="1069", destination_addr="8613812345678", short_message=b"hello")
BIND = BindTransceiver(system_id="gateway", password="secret")
SETTINGS = SessionSettings(window=100)


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test once on asyncio's loop and once on uvloop's."""

    @functools.wraps(test)
    def run(loop_name: str, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
            runner.run(test(**fixtures))

    signature = inspect.signature(test)
    loop_name = inspect.Parameter("loop_name", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), loop_name])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop_name", LOOPS)(run)


class Log:
    """What a connection has reported, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.connections: list[Connection] = []
        self.batches: list[int] = []
        self._changed = asyncio.Event()

    def note(self, connection: Connection, events: list[Event]) -> None:
        self.events += events
        self.batches.append(len(events))
        if connection not in self.connections:
            self.connections.append(connection)
        self._changed.set()

    async def until(self, kind: type[Event], count: int = 1) -> list[Any]:
        """Wait for `count` events of `kind` and return all of them."""
        async with asyncio.timeout(10.0):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found


class Peer(Log):
    """An SMSC that takes everything."""

    def note(self, connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=Pdu(body=BindTransceiver()) as pdu):
                    connection.respond(pdu, BindTransceiverResp(system_id="smsc"))
                case RequestReceived(pdu=Pdu(body=SubmitSm()) as pdu):
                    connection.respond(pdu, SubmitSmResp(message_id=str(pdu.sequence_number)))
        super().note(connection, events)


@contextlib.asynccontextmanager
async def connected(
    *,
    peer: Log | None = None,
    settings: SessionSettings = SETTINGS,
    tls: tuple[Any, Any] = (None, None),
    **options: Any,
) -> Any:
    """A client's connection with its log, and the peer's log; closed and checked at the end."""
    peer = peer or Peer()
    log = Log()
    server = await serve("127.0.0.1", 0, settings=SETTINGS, on_events=peer.note, ssl=tls[0])
    port = server.sockets[0].getsockname()[1]
    client = await open_connection(
        "127.0.0.1",
        port,
        settings=settings,
        on_events=log.note,
        ssl=tls[1],
        server_hostname=tls[1] and "smsc.test",
        **options,
    )
    try:
        yield client, log, peer
    finally:
        client.abort()
        server.close()
        async with asyncio.timeout(10.0):
            await client.closed
            for connection in peer.connections:
                connection.abort()
                await connection.closed
            await server.wait_closed()


@contextlib.asynccontextmanager
async def raw_peer(handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Any:
    """A listening socket that does what `handler` says; yields its port."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@on_both_loops
async def test_a_bind_a_submit_and_an_unbind_go_through():
    async with connected() as (client, log, peer):
        client.send(BIND)
        await log.until(ResponseReceived)
        number = client.send(HELLO, context="message")
        *_, answered = await log.until(ResponseReceived, 2)
        assert answered == ResponseReceived(number, HELLO, SubmitSmResp(message_id=str(number)), 0, "message")
        await client.unbind()
        assert client.closed.done()
        assert log.events[-1] == SessionClosed()
        assert await peer.until(SessionClosed) == [SessionClosed()]
        assert await peer.until(PeerUnbound) == [PeerUnbound()]


@on_both_loops
async def test_what_is_sent_in_one_iteration_leaves_in_one_write_and_is_answered_in_one():
    async with connected() as (client, log, peer):
        client.send(BIND)
        await log.until(ResponseReceived)
        for _ in range(100):
            client.send(HELLO)
        assert client.window_free == 0
        await log.until(ResponseReceived, 101)
        assert client.window_in_use == 0
        assert peer.batches[-1] == 100
        assert log.batches[-1] == 100


@on_both_loops
async def test_a_connection_may_outlive_many_windows():
    total = 2000
    async with connected() as (client, log, _):
        client.send(BIND)
        await log.until(ResponseReceived)
        sent = 0
        while sent < total:
            while client.window_free and sent < total:
                client.send(HELLO, context=sent)
                sent += 1
            await log.until(ResponseReceived, 1 + sent)
        answers = [event for event in log.events if isinstance(event, ResponseReceived)][1:]
        assert [answer.context for answer in answers] == list(range(total))


@on_both_loops
async def test_an_smsc_delivers_through_its_own_connection():
    async with connected() as (client, log, peer):
        client.send(BIND)
        await log.until(ResponseReceived)
        [smsc] = peer.connections
        smsc.send(DeliverSm(short_message=b"in"), context="delivery")
        [asked] = await log.until(RequestReceived)
        client.respond(asked.pdu, DeliverSmResp())
        [answered] = await peer.until(ResponseReceived)
        assert answered.context == "delivery"


@on_both_loops
async def test_an_outbind_is_answered_by_a_bind_on_the_same_connection():
    esme = Log()
    server = await serve("127.0.0.1", 0, settings=SETTINGS, on_events=esme.note, role=Role.ESME)
    smsc_log = Peer()
    smsc = await open_connection(
        "127.0.0.1",
        server.sockets[0].getsockname()[1],
        settings=SETTINGS,
        on_events=smsc_log.note,
        role=Role.SMSC,
    )
    smsc.send(Outbind(system_id="smsc", password="key"))
    await esme.until(RequestReceived)
    esme.connections[0].send(BIND)
    await esme.until(ResponseReceived)
    assert smsc.state is State.BOUND_TRX
    await smsc.unbind()
    await esme.until(SessionClosed)
    await esme.connections[0].closed
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_both_sockets_send_without_delay():
    async with connected() as (client, log, peer):
        client.send(BIND)
        await log.until(ResponseReceived)
        for connection in (client, peer.connections[0]):
            raw = connection._transport.get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client.peer.startswith("127.0.0.1:")


@on_both_loops
async def test_keep_alive_runs_by_itself():
    settings = SessionSettings(enquire_link_interval_seconds=0.02)
    asked = asyncio.Event()

    async def answer_three(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(encode(Pdu(0, 1, BIND))))
        writer.write(encode(Pdu(0, 1, BindTransceiverResp())))
        for number in (2, 3, 4):
            assert await reader.readexactly(16) == encode(Pdu(0, number, EnquireLink()))
            writer.write(encode(Pdu(0, number, EnquireLinkResp())))
        asked.set()
        await reader.read()

    log = Log()
    async with raw_peer(answer_three) as port, asyncio.timeout(10.0):
        client = await open_connection("127.0.0.1", port, settings=settings, on_events=log.note)
        client.send(BIND)
        await asked.wait()
        assert client.state is State.BOUND_TRX
        assert [type(event) for event in log.events] == [ResponseReceived]
        client.abort()
        await client.closed


@on_both_loops
async def test_an_unanswered_request_and_then_a_silent_peer_are_reported():
    settings = SessionSettings(response_timeout_seconds=0.05, enquire_link_interval_seconds=0.1)

    async def bind_and_fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(encode(Pdu(0, 1, BIND))))
        writer.write(encode(Pdu(0, 1, BindTransceiverResp())))
        await reader.read()

    log = Log()
    async with raw_peer(bind_and_fall_silent) as port:
        client = await open_connection("127.0.0.1", port, settings=settings, on_events=log.note)
        client.send(BIND)
        await log.until(ResponseReceived)
        client.send(HELLO, context="m")
        [broken] = await log.until(SessionBroken)
        assert isinstance(broken.error, PeerSilent)
        assert [type(event).__name__ for event in log.events] == [
            "ResponseReceived",
            "RequestUnanswered",
            "SessionBroken",
        ]
        await client.closed


@on_both_loops
async def test_a_connection_that_never_binds_is_dropped():
    peer = Log()
    settings = SessionSettings(session_init_timeout_seconds=0.05)
    server = await serve("127.0.0.1", 0, settings=settings, on_events=peer.note)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    [broken] = await peer.until(SessionBroken)
    assert isinstance(broken.error, SessionNotInitiated)
    writer.close()
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_a_connection_lost_hands_back_what_is_unanswered():
    silent = Log()
    async with connected(peer=silent) as (client, log, _):
        client.send(BIND, context="bind")
        await silent.until(RequestReceived)
        silent.connections[0].abort()
        [broken] = await log.until(SessionBroken)
        assert isinstance(broken.error, ConnectionLost)
        assert broken.unanswered == (Unanswered(1, BIND, "bind"),)
        assert not client.writable
        with pytest.raises(LocalProtocolError):
            client.send(HELLO)


@on_both_loops
async def test_our_own_abort_hands_back_what_is_unanswered():
    async with connected(peer=Log()) as (client, log, _):
        client.send(BIND)
        client.abort()
        [broken] = await log.until(SessionBroken)
        assert len(broken.unanswered) == 1
        await client.closed


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x7f\xff\xff\xff" + bytes(12), b"\0\0\0\x0f" + bytes(12), b"\xff" * 64],
)
@on_both_loops
async def test_garbage_breaks_one_connection_and_not_the_server(garbage: bytes):
    async with connected() as (client, log, peer):
        server_port = client._transport.get_extra_info("peername")[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", server_port)
        writer.write(garbage)
        await reader.read()
        writer.close()
        [broken] = await peer.until(SessionBroken)
        assert isinstance(broken.error, FramingError)
        client.send(BIND)
        await log.until(ResponseReceived)


@pytest.mark.parametrize("octets", [0, 1, 3, 15, 16, 30])
@on_both_loops
async def test_a_peer_may_leave_at_any_octet_of_a_pdu(octets: int):
    async with connected() as (client, log, peer):
        server_port = client._transport.get_extra_info("peername")[1]
        _, writer = await asyncio.open_connection("127.0.0.1", server_port)
        writer.write(encode(Pdu(0, 1, BIND))[:octets])
        writer.close()
        [broken] = await peer.until(SessionBroken)
        assert isinstance(broken.error, ConnectionLost)
        client.send(BIND)
        await log.until(ResponseReceived)


@on_both_loops
async def test_one_octet_at_a_time_binds_too():
    async with connected() as (client, _, _peer):
        server_port = client._transport.get_extra_info("peername")[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", server_port)
        for octet in encode(Pdu(0, 1, BIND)):
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        answer = encode(Pdu(0, 1, BindTransceiverResp(system_id="smsc")))
        assert await reader.readexactly(len(answer)) == answer
        writer.close()


SUBMITS_A_SLICE = SLICE_BYTES // len(encode(Pdu(0, 2, HELLO))) + 1


def a_burst(count: int) -> bytes:
    """Submits as a bound peer sends them after its bind."""
    return b"".join(encode(Pdu(0, 2 + n, HELLO)) for n in range(count))


def submits_in(log: Log) -> list[int]:
    return [
        e.pdu.sequence_number for e in log.events if isinstance(e, RequestReceived) and type(e.pdu.body) is SubmitSm
    ]


async def bound_by_hand(client: Connection) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A second connection to the server that `client` is connected to, bound, whose bytes are ours."""
    reader, writer = await asyncio.open_connection(*client._transport.get_extra_info("peername"))
    writer.write(encode(Pdu(0, 1, BIND)))
    await reader.readexactly(len(encode(Pdu(0, 1, BindTransceiverResp(system_id="smsc")))))
    return reader, writer


@on_both_loops
async def test_much_that_comes_at_once_is_taken_in_slices_in_order_and_answered_in_full():
    peer = Peer()
    async with connected(peer=peer) as (client, _, _):
        reader, writer = await bound_by_hand(client)
        writer.write(a_burst(2_000))
        expected = b"".join(encode(Pdu(0, n, SubmitSmResp(message_id=str(n)))) for n in range(2, 2_002))
        async with asyncio.timeout(10.0):
            assert await reader.readexactly(len(expected)) == expected
        assert submits_in(peer) == list(range(2, 2_002))
        assert max(peer.batches) <= SUBMITS_A_SLICE
        writer.close()


@on_both_loops
async def test_the_loop_goes_on_between_two_slices():
    turn, turns = 0, []

    class Watching(Peer):
        def note(self, connection: Connection, events: list[Event]) -> None:
            turns.append(turn)
            super().note(connection, events)

    peer = Watching()
    async with connected(peer=peer) as (client, _, _):
        client.send(BIND)
        await peer.until(RequestReceived)
        turns.clear()
        peer.connections[0].data_received(a_burst(1_000))
        while len(submits_in(peer)) < 1_000:
            turn += 1
            await asyncio.sleep(0)
        assert len(set(turns)) == len(turns) > 3


@on_both_loops
async def test_what_was_read_before_a_connection_is_lost_is_taken_before_its_end_is_told():
    peer = Peer()
    async with connected(peer=peer) as (client, _, _):
        client.send(BIND)
        await peer.until(RequestReceived)
        [server_side] = peer.connections
        server_side.data_received(a_burst(1_000))
        assert len(submits_in(peer)) <= SUBMITS_A_SLICE
        server_side.abort()
        await peer.until(SessionBroken)
        assert len(submits_in(peer)) == 1_000
        assert isinstance(peer.events[-1], SessionBroken)


@on_both_loops
async def test_an_owner_that_raises_hears_no_more_of_what_was_read():
    class Clumsy(Peer):
        def note(self, connection: Connection, events: list[Event]) -> None:
            super().note(connection, events)
            if submits_in(self):
                raise ZeroDivisionError("the owner's own fault")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    clumsy = Clumsy()
    async with connected(peer=clumsy) as (client, _, _):
        _, writer = await bound_by_hand(client)
        writer.write(a_burst(1_000))
        await clumsy.until(RequestReceived, 2)
        await asyncio.wait([clumsy.connections[0].closed])
        assert len(submits_in(clumsy)) <= SUBMITS_A_SLICE
        assert isinstance(clumsy.events[-1], SessionBroken)
        writer.close()


@on_both_loops
async def test_an_owner_that_raises_ends_its_connection_and_the_loop_hears_of_it():
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    class Clumsy(Log):
        def note(self, connection: Connection, events: list[Event]) -> None:
            super().note(connection, events)
            if isinstance(events[0], RequestReceived):
                raise ZeroDivisionError("the owner's own fault")

    clumsy = Clumsy()
    async with connected(peer=clumsy) as (client, log, _):
        client.send(BIND)
        await log.until(SessionBroken)
        [broken] = await clumsy.until(SessionBroken)
        assert isinstance(broken.error, ConnectionLost)
        await clumsy.connections[0].closed
    assert [type(context["exception"]) for context in heard] == [ZeroDivisionError]


@on_both_loops
async def test_an_owner_that_raises_in_a_timer_ends_its_connection_too():
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    def note(_: Connection, events: list[Event]) -> None:
        raise ZeroDivisionError(repr(events))

    server = await serve("127.0.0.1", 0, settings=SessionSettings(session_init_timeout_seconds=0.02), on_events=note)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    server.close()
    await server.wait_closed()
    assert heard
    assert {type(context["exception"]) for context in heard} == {ZeroDivisionError}


@on_both_loops
async def test_a_peer_that_does_not_read_is_given_up_at_the_write_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection_module, "WRITE_LIMIT_BYTES", 1 << 20)
    flood = encode(Pdu(0, 7, EnquireLink())) * 4096
    peer = Peer()
    server = await serve("127.0.0.1", 0, settings=SETTINGS, on_events=peer.note)
    raw = socket.create_connection(server.sockets[0].getsockname())
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20.0):
            while not peer.events:
                await loop.sock_sendall(raw, flood)  # and never reads an answer
    [broken] = await peer.until(SessionBroken)
    assert isinstance(broken.error, PeerTooSlow)
    await peer.connections[0].closed
    raw.close()
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_the_last_bytes_of_a_session_get_only_so_long_to_leave(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.1)
    peer = Peer()
    server = await serve("127.0.0.1", 0, settings=SETTINGS, on_events=peer.note)
    raw = socket.create_connection(server.sockets[0].getsockname())
    raw.setblocking(False)
    flood = encode(Pdu(0, 7, EnquireLink())) * 500_000 + bytes(16)  # the answers fill every buffer; then garbage
    with contextlib.suppress(ConnectionError):
        await asyncio.get_running_loop().sock_sendall(raw, flood)
    [broken] = await peer.until(SessionBroken)
    assert isinstance(broken.error, FramingError)
    async with asyncio.timeout(5.0):
        await peer.connections[0].closed
    raw.close()
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_writable_falls_above_the_high_water_mark_and_comes_back():
    told, release = asyncio.Event(), asyncio.Event()

    async def read_when_told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(encode(Pdu(0, 1, BIND))))
        writer.write(encode(Pdu(0, 1, BindTransceiverResp())))
        await release.wait()
        while await reader.read(1 << 20):
            pass

    log = Log()
    settings = SessionSettings(window=1_000_000, response_timeout_seconds=60.0)
    async with raw_peer(read_when_told) as port:
        client = await open_connection(
            "127.0.0.1",
            port,
            settings=settings,
            on_events=log.note,
            on_writable=lambda _: told.set(),
        )
        client.send(BIND)
        await log.until(ResponseReceived)
        long = SubmitSm(destination_addr="8613812345678", short_message=b"x" * 254)
        sent = 0
        while client.writable:
            for _ in range(1000):
                client.send(long)
            sent += 1000
            await asyncio.sleep(0)
        assert sent < 200_000
        release.set()
        async with asyncio.timeout(20.0):
            await told.wait()
        assert client.writable
        client.abort()
        await client.closed


async def test_as_little_waits_to_be_written_as_its_owner_says_here_and_in_the_kernel():
    async def read_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_peer(read_nothing) as port:
        client = await open_connection(
            "127.0.0.1",
            port,
            settings=SessionSettings(window=1_000),
            on_events=lambda *_: None,
            write_high_water_bytes=6_400,
        )
        transport = client._transport
        assert transport is not None
        assert transport.get_write_buffer_limits()[1] == 6_400
        raw_socket = transport.get_extra_info("socket")
        assert raw_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 6_400
        client.abort()
        await client.closed


@on_both_loops
async def test_unbind_returns_at_its_timeout_when_the_peer_does_not_answer():
    async def bind_and_ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(encode(Pdu(0, 1, BIND))))
        writer.write(encode(Pdu(0, 1, BindTransceiverResp())))
        await reader.read()

    log = Log()
    async with raw_peer(bind_and_ignore) as port:
        client = await open_connection("127.0.0.1", port, settings=SETTINGS, on_events=log.note)
        client.send(BIND)
        await log.until(ResponseReceived)
        async with asyncio.timeout(5.0):
            await client.unbind(timeout_seconds=0.05)
        assert client.closed.done()
        assert isinstance(log.events[-1], SessionClosed | SessionBroken)


@on_both_loops
async def test_unbind_of_a_connection_that_never_bound_just_closes_it():
    async with connected() as (client, log, _):
        async with asyncio.timeout(5.0):
            await client.unbind()
        assert client.closed.done()
        assert isinstance(log.events[-1], SessionBroken)
        await client.unbind()


@on_both_loops
async def test_a_connection_refused_is_an_os_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await open_connection(*taken.getsockname(), settings=SETTINGS, on_events=Log().note)


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="certificates")
def certificates_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@on_both_loops
async def test_a_session_runs_over_tls_with_a_ca_of_its_own(certificates: Path):
    client_context = ssl.create_default_context(cafile=certificates / "ca.pem")
    async with connected(tls=(server_context(certificates), client_context)) as (client, log, peer):
        client.send(BIND)
        await log.until(ResponseReceived)
        client.send(HELLO)
        await log.until(ResponseReceived, 2)
        await client.unbind()
        await peer.until(SessionClosed)


@pytest.mark.parametrize("case", ["unknown CA", "other name", "expired"])
@on_both_loops
async def test_a_certificate_that_cannot_be_trusted_is_refused(certificates: Path, case: str):
    cafile = certificates / "ca.pem" if case != "unknown CA" else None
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's side of the failed handshake
    context = server_context(certificates, "expired" if case == "expired" else "smsc")
    server = await serve("127.0.0.1", 0, settings=SETTINGS, on_events=Log().note, ssl=context)
    with pytest.raises(ssl.SSLCertVerificationError):
        await open_connection(
            "127.0.0.1",
            server.sockets[0].getsockname()[1],
            settings=SETTINGS,
            on_events=Log().note,
            ssl=ssl.create_default_context(cafile=cafile),
            server_hostname="other.test" if case == "other name" else "smsc.test",
        )
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_a_peer_that_does_not_speak_tls_runs_into_the_connect_timeout():
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_peer(silent) as port:
        with pytest.raises(TimeoutError):
            await open_connection(
                "127.0.0.1",
                port,
                settings=SETTINGS,
                on_events=Log().note,
                ssl=ssl.create_default_context(),
                server_hostname="smsc.test",
                connect_timeout_seconds=0.1,
            )
