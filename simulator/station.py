"""One SMSC that listens: its connections, its clock, its timeline, and how it is restarted."""

import asyncio
import sys
import time
from typing import Any, Final

from gateway.connection import Connection
from gateway.smpp import Event, Role, SessionSettings
from simulator.binds import Bind
from simulator.links import FaultyConnection
from simulator.scenario import Action, Phase, Scenario, in_phase
from simulator.settings import Settings, Smpp, split_address
from simulator.smsc import Smsc

# How long clients may take to answer the unbind when the simulator ends.
_UNBIND_SECONDS: Final = 2.0
# How long until it is tried again to listen, after a restart, where somebody else has taken the port.
_LISTEN_AGAIN_SECONDS: Final = 0.5


class Station:
    """A listener and the SMSC behind it. `start` raises OSError where it cannot listen; `stop` ends every session."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name: Final = name
        self.settings: Final = settings
        self.scenario: Scenario = settings.scenario  # what was asked for; `smsc.scenario` is how it is at the moment
        self.phase: int | None = None  # the one of the timeline that it is in, counted from 0
        self.restarts = 0
        self._loop: Final = asyncio.get_running_loop()
        self.smsc: Final = Smsc(settings, epoch_seconds=time.time() - self._loop.time())
        self._host, self.port = split_address(settings.smpp.listen)
        self._connections: dict[FaultyConnection, Bind] = {}
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._phase_timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and begin the timeline. Raises OSError."""
        await self._listen()
        self.change(self.scenario)

    async def stop(self) -> None:
        """Listen no more, and end every session in order."""
        if self._phase_timer is not None:
            self._phase_timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
        if self._listener is not None:
            self._listener.close()
        await self.unbind()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def address(self) -> str:
        """Where it listens, host:port."""
        return join_address(self._host, self.port)

    @property
    def is_listening(self) -> bool:
        """Whether it lets anybody in, and is not on its way up again."""
        return self._listener is not None

    @property
    def binds(self) -> list[Bind]:
        """Every connection, also those that have not bound."""
        return list(self._connections.values())

    def counts(self) -> dict[str, Any]:
        """Return what `GET /counts` answers."""
        return self.smsc.counts() | {
            "restarts": self.restarts,
            "phase": 0 if self.phase is None else self.phase + 1,
            "listening": self.is_listening,
            "connections": len(self._connections),
        }

    # --- what the control asks -----------------------------------------------------------------------------------

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on, and begin its timeline."""
        self.scenario = scenario
        self.phase = None
        if self._phase_timer is not None:
            self._phase_timer.cancel()
            self._phase_timer = None
        if scenario.timeline.phase:
            self._enter(0)
        else:
            self._behave(scenario)

    def reset(self) -> None:
        """Forget messages, receipts that are still to come, the journal and the counts."""
        self.smsc.reset()

    def send_inbound(self, source: str, destination: str, text: str) -> int:
        """Send a subscriber's message and return its parts. Raises NobodyReceives, TextError."""
        parts = self.smsc.send_inbound(source, destination, text, now=self._loop.time())
        self._set_timer()
        return parts

    def release(self) -> int:
        """Send what is to be sent later now, and return how much that is."""
        released = self.smsc.release(now=self._loop.time())
        self._set_timer()
        return released

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

    def restart(self, *, memory: bool, down_seconds: float, reuse_ids: bool) -> int:
        """Go down as one that crashes, and come back; return how many connections that took.

        Without `memory` the messages and what was to come of them are forgotten, and with `reuse_ids` the next message
        has the first one's id again. The port stays the same.
        """
        self.restarts += 1
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if not memory:
            self.smsc.lose_memory(reuse_ids=reuse_ids)
        dropped = self.drop()
        if self._opening is not None:
            self._opening.cancel()
        self._opening = self._loop.create_task(self._open_again(down_seconds))
        return dropped

    async def _open_again(self, after_seconds: float) -> None:
        while self._listener is None:
            await asyncio.sleep(after_seconds)
            try:
                await self._listen()
            except OSError as error:
                sys.stderr.write(f"simulator: {self.address}: {error.strerror or error}; trying again\n")
                after_seconds = _LISTEN_AGAIN_SECONDS

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(self._make_connection, self._host, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    # --- the timeline --------------------------------------------------------------------------------------------

    def _enter(self, number: int) -> None:
        """Begin a phase; after the last one the scenario is as it is without phases."""
        timeline = self.scenario.timeline
        if number == len(timeline.phase):
            if not timeline.repeat:
                self.phase = self._phase_timer = None
                self._behave(self.scenario)
                return
            number = 0
        phase = timeline.phase[number]
        self.phase = number
        self._behave(in_phase(self.scenario, number))
        self._act(phase)
        self._phase_timer = self._loop.call_later(phase.seconds, self._enter, number + 1)

    def _act(self, phase: Phase) -> None:
        match phase.do:
            case Action.NOTHING:
                pass
            case Action.RESET:
                self.drop()
            case Action.UNBIND:
                for connection in self._connections:
                    connection.end_session()
            case Action.RESTART | Action.RESTART_FORGETFULLY:
                memory = phase.do is Action.RESTART
                self.restart(memory=memory, down_seconds=phase.down_seconds, reuse_ids=phase.reuse_ids)

    def _behave(self, scenario: Scenario) -> None:
        was_silent = self.smsc.scenario.wire.silent
        self.smsc.change(scenario, now=self._loop.time())
        for connection in self._connections:
            connection.shape(scenario.wire)
        if was_silent:
            self.smsc.work(now=self._loop.time())
        self._set_timer()

    # --- connections and time ------------------------------------------------------------------------------------

    def _make_connection(self) -> FaultyConnection:
        settings = _session_settings(self.settings.smpp)
        connection = FaultyConnection(Role.SMSC, settings, self._take_events, on_connection=self._connect)
        connection.shape(self.smsc.scenario.wire)
        connection.closed.add_done_callback(lambda _: self._connections.pop(connection, None))
        return connection

    def _connect(self, connection: Connection) -> None:
        assert isinstance(connection, FaultyConnection), "made in _make_connection"
        self._connections[connection] = self.smsc.connect(connection, now=self._loop.time())

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


def join_address(host: str, port: int) -> str:
    """Return `host:port`, with brackets where the host has colons."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
