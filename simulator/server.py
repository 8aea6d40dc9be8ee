"""A running simulator: the SMSC behind a listener, its timer, and the control HTTP beside it."""

import asyncio
import time
from types import TracebackType
from typing import Any, Final, Self

from gateway.connection import Connection
from gateway.smpp import Event, Role, SessionSettings
from simulator.binds import Bind
from simulator.control import start_control
from simulator.journal import Journal
from simulator.links import FaultyConnection
from simulator.settings import Scenario, Settings, Smpp, split_address
from simulator.smsc import Smsc

# How long clients may take to answer the unbind when the simulator ends.
_UNBIND_SECONDS: Final = 2.0


class AddressTaken(OSError):  # noqa: N818 - the state of an address
    """A listener cannot have its address; the message names both."""


class Simulator:
    """An SMSC that listens while the context lasts.

    `async with Simulator(settings) as simulator:` gives it with `port` and `control_port`, also where the settings have
    port 0. Raises AddressTaken.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings: Final = settings if settings is not None else Settings()
        self._connections: dict[FaultyConnection, Bind] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.smsc = Smsc(self.settings, epoch_seconds=time.time() - self._loop.time())
        host, port = split_address(self.settings.smpp.listen)
        control_host, control_port = split_address(self.settings.control.listen)
        try:
            self._listener = await self._loop.create_server(self._make_connection, host, port)
        except OSError as error:
            raise AddressTaken(f"smpp.listen = {self.settings.smpp.listen!r}: {error.strerror or error}") from error
        try:
            self._control = await start_control(self, (control_host, control_port))
        except OSError as error:
            self._listener.close()
            raise AddressTaken(
                f"control.listen = {self.settings.control.listen!r}: {error.strerror or error}"
            ) from error
        self.port: int = self._listener.sockets[0].getsockname()[1]
        self.control_port: int = self._control.addresses[0][1]
        self.address: str = _join(host, self.port)
        self.control_address: str = _join(control_host, self.control_port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        await self._control.cleanup()
        await self.unbind()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def journal(self) -> Journal:
        """What went over every connection."""
        return self.smsc.journal

    def counts(self) -> dict[str, Any]:
        """Return what `GET /counts` answers."""
        return self.smsc.counts()

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on."""
        self.smsc.change(scenario)

    def reset(self) -> None:
        """Forget messages, receipts that are still to come, the journal and the counts."""
        self.smsc.reset()

    def send_inbound(self, source: str, destination: str, text: str) -> int:
        """Send a subscriber's message and return its parts. Raises NobodyReceives, TextError."""
        parts = self.smsc.send_inbound(source, destination, text, now=self._loop.time())
        self._set_timer()
        return parts

    def drop(self) -> int:
        """Reset every connection, and return how many there were."""
        for connection, bind in self._connections.items():
            bind.end()
            connection.reset()
        return len(self._connections)

    async def unbind(self) -> int:
        """End every session in order, and return how many there were."""
        connections = list(self._connections)
        await asyncio.gather(*(connection.unbind(timeout_seconds=_UNBIND_SECONDS) for connection in connections))
        return len(connections)

    # --- connections and time ------------------------------------------------------------------------------------

    def _make_connection(self) -> FaultyConnection:
        settings = _session_settings(self.settings.smpp)
        connection = FaultyConnection(Role.SMSC, settings, self._take_events, on_connection=self._connect)
        connection.closed.add_done_callback(lambda _: self._connections.pop(connection, None))
        return connection

    def _connect(self, connection: Connection) -> None:
        assert isinstance(connection, FaultyConnection), "made in _make_connection"
        self._connections[connection] = self.smsc.connect(connection)

    def _take_events(self, connection: Connection, events: list[Event]) -> None:
        assert isinstance(connection, FaultyConnection), "made in _make_connection"
        self.smsc.handle(self._connections[connection], events, now=self._loop.time())
        self._set_timer()

    def _set_timer(self) -> None:
        due = self.smsc.next_due
        if due is None:
            return
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        # Kept beside the handle: for what is due now uvloop gives one that does not know its time.
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._work, due)

    def _work(self, due: float) -> None:
        self._timer = None
        # A loop with a coarse clock may call a little early.
        self.smsc.work(now=max(due, self._loop.time()))
        self._set_timer()


def _session_settings(smpp: Smpp) -> SessionSettings:
    return SessionSettings(
        window=smpp.window,
        response_timeout_seconds=smpp.response_timeout_seconds,
        enquire_link_interval_seconds=smpp.enquire_link_seconds or None,
        session_init_timeout_seconds=smpp.bind_timeout_seconds,
        report_own_traffic=True,  # the journal has every PDU
    )


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
