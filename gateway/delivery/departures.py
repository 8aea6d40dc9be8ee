"""Parts leave for one carrier: at once, or, where one copy is the rule, when their intent is on disk."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.addresses import source_key
from gateway.delivery.answers import Flight
from gateway.delivery.binds import Bind
from gateway.delivery.handover import submit_sm
from gateway.delivery.pace import Pace
from gateway.delivery.settings import CarrierSettings, OnDoubt
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.delivery.sources import SourceLimits
from gateway.delivery.underway import Handover
from gateway.message import Attempt, Milliseconds, Priority, Record, Status
from gateway.smpp import EncodeError, SubmitSm

log = structlog.get_logger(__name__)


class Origin(Protocol):
    """The carrier, to which comes back what cannot leave."""

    def hold(self, seconds: float) -> None: ...

    def send_again(self, record: Record) -> None: ...


class Departures:
    """Hands parts to binds, and takes what they use of the carrier's rates."""

    def __init__(
        self,
        settings: CarrierSettings,
        shared: Shared,
        pace: Pace,
        sources: SourceLimits,
        *,
        keep: Callable[[Record], object],
        origin: Origin,
    ) -> None:
        self._settings = settings
        self._shared = shared
        self._pace = pace
        self._sources = sources
        self._keep = keep
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._own_source = source_key(settings.source, settings.name)
        queue_seconds = shared.metrics.queue_seconds
        self._queue_seconds = {priority: queue_seconds.series((priority,)) for priority in Priority}

    def hand_over(
        self, bind: Bind, handover: Handover, track: dict[str, Handover], now: float, at: Milliseconds
    ) -> None:
        """Hand over the next waiting part of a message; with its last part it leaves the `track` of the bind."""
        record, message = handover.record, handover.record.message
        n = record.first_waiting()
        if track and (n is None or record.is_final or record.first_waiting(after=n) is None):
            track.pop(bind.name, None)
        if n is None or record.is_final:
            return
        self._pace.spend(handover.wording.segments)
        shared, settings, connection = self._shared, self._settings, bind.connection
        assert connection is not None
        body, reference = submit_sm(message, handover.wording, n, settings, now=at)
        if settings.source_throughput:
            self._sources.spend(body.source_addr, handover.wording.segments, now=now)
        if record.status is Status.QUEUED and not record.state.parts[n].attempts:
            self._queue_seconds[message.priority].observe((at - message.accepted_at) / 1000)
        if n == 0:
            source = source_key(body.source_addr, settings.name) if message.sender else self._own_source
            shared.last_sent.note(source, message.to, message.id)
        attempt = Attempt(settings.name, bind.settings.name, at, "", None, "", reference)
        k = outcomes.hand_over(record, n, attempt)
        flight = Flight(record, n, k, now)
        if shared.categories[message.category].on_doubt is OnDoubt.RESEND:
            self._send(connection, body, flight)
            return
        bind.reserved += 1
        intent = partial(self._intent_is_kept, bind, connection, body, flight)
        shared.after.add(shared.store.update(record), intent)

    def _send(self, connection: Connection, body: SubmitSm, flight: Flight) -> None:
        """Give a part's bytes to the connection. What does not fit the wire has failed, and only that."""
        try:
            connection.send(body, flight)
        except EncodeError as error:
            record = flight.record
            log.error("a message does not fit a submit_sm", message=str(record.id), field=error.field, rule=error.rule)
            outcomes.refused_for_good(record, flight.n, flight.k, None, f"not sent: {error}", at=self._shared.clock())
            self._keep(record)

    def _intent_is_kept(
        self, bind: Bind, connection: Connection, body: SubmitSm, flight: Flight, succeeded: bool
    ) -> None:
        """The intent is on disk, so the bytes may leave; if it is not, they must not."""
        bind.reserved -= 1
        record = flight.record
        if succeeded and bind.is_usable_by(connection) and not record.is_final:
            flight.sent_at = self._loop.time()
            self._send(connection, body, flight)
            return
        error = "connection_lost" if succeeded else "store_unavailable"
        outcomes.take_back(record, flight.n, flight.k, error, at=self._shared.clock())
        self._keep(record)
        if not succeeded:
            self._origin.hold(STORE_RETRY_SECONDS)
        self._origin.send_again(record)
