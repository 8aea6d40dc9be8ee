"""What a carrier answers to the parts it was handed, in time, late or never; a slot is free once that is on disk."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

import msgspec
import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.awaiting import Awaiting
from gateway.delivery.binds import Bind
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.message import Attempt, Milliseconds, Record
from gateway.smpp import (
    CommandStatus,
    RequestUnanswered,
    ResponseReceived,
    StatusClass,
    SubmitSmResp,
    Unanswered,
    classify,
    describe,
)
from gateway.store.api import Commit, StoreError

log = structlog.get_logger(__name__)

HeldSlot = tuple[Connection, int, Record]  # the sequence number of an answered submit_sm, whose answer is being written
OnPart = Callable[[Record, int, int], None]  # attempt k of part n of a record


class Flight(msgspec.Struct, gc=False):
    """A part on its way: attempt k of part n. What the session hands back with the answer."""

    record: Record
    n: int
    k: int
    sent_at: float  # loop time


class Owner(Protocol):
    """What an answer may ask of the carrier that it came from."""

    def keep(self, record: Record, *, changed: bool = True) -> Commit: ...

    def wake(self) -> None: ...

    def send_again(self, record: Record) -> None: ...

    def retry_later(self, record: Record, *, failures: int) -> None: ...

    def slow_down(self, sent_at: float) -> None: ...

    def stop_handing_over(self, record: Record) -> None: ...


class Answers:
    """Takes the answers of one carrier. `on_accepted` and `on_doubt` look for receipts that came too early."""

    def __init__(
        self,
        carrier: str,
        shared: Shared,
        awaiting: Awaiting,
        owner: Owner,
        elsewhere: Elsewhere,
        *,
        on_accepted: OnPart,
        on_doubt: OnPart,
    ) -> None:
        self._carrier = carrier
        self._shared = shared
        self._awaiting = awaiting
        self._owner = owner
        self._elsewhere = elsewhere
        self._on_accepted = on_accepted
        self._on_doubt = on_doubt
        self._loop = asyncio.get_running_loop()
        self._late: set[asyncio.Task[None]] = set()  # answers whose messages are being read
        self._release_all = self._release_slots  # bound once, for it is what actions are gathered by
        self._response_seconds = shared.metrics.submit_response_seconds.series((carrier,))

    def response_received(self, bind: Bind, connection: Connection, event: ResponseReceived) -> None:
        """A carrier's answer to a part, in time or late."""
        flight = event.context
        assert isinstance(flight, Flight)
        self._response_seconds.observe(self._loop.time() - flight.sent_at)
        record = self._shared.live.get(flight.record.id)
        if record is None:
            start(self._read_answered(connection, event, flight), among=self._late)
        else:
            flight.record = record
            self._answered(connection, event, flight)

    async def _read_answered(self, connection: Connection, event: ResponseReceived, flight: Flight) -> None:
        """The answer comes when the message has left the memory, settled by something else: see what became of it."""
        live, record = self._shared.live, None
        try:
            while record is None:
                with live.reading() as reading:
                    stored = await self._shared.store.read(flight.record.id)
                    record = reading.adopt(stored or flight.record)
        except StoreError as error:
            log.warning("could not read an answered message", message=str(flight.record.id), error=str(error))
            connection.release(event.sequence_number)
            self._owner.wake()
            return
        flight.record = record
        self._answered(connection, event, flight)

    def _answered(self, connection: Connection, event: ResponseReceived, flight: Flight) -> None:
        shared = self._shared
        record, n, k = flight.record, flight.n, flight.k
        at = shared.clock()
        status = event.command_status
        if status == CommandStatus.ESME_ROK and isinstance(event.response, SubmitSmResp):
            shared.metrics.submits.add((self._carrier, "accepted"))
            outcomes.accepted(record, n, k, event.response.message_id, at=at)
            shared.usage.submitted(record, self._carrier, at=at)
            if event.response.message_id:
                self._awaiting.add(record, n, k)
            else:
                self._awaiting.add_without_id(record, n, k)
            self._on_accepted(record, n, k)
        else:
            self._refused(connection, flight, status, at)
        commit = self._owner.keep(record)
        if not event.late:
            shared.after.gather(commit, self._release_all, (connection, event.sequence_number, record))

    def request_unanswered(self, bind: Bind, event: RequestUnanswered | Unanswered, error: str) -> None:
        """Bytes left, or may have, and no answer came: in doubt, or sent again, as the category says."""
        flight = event.context
        assert isinstance(flight, Flight)
        shared = self._shared
        shared.metrics.submits.add((self._carrier, "unanswered"))
        record = shared.live.get(flight.record.id)
        if record is None:
            return  # settled meanwhile by another attempt, or a receipt
        on_doubt = shared.on_doubt(record, flight.n)
        outcomes.unanswered(record, flight.n, flight.k, error, on_doubt, at=shared.clock())
        self._awaiting.add_without_id(record, flight.n, flight.k)
        self._owner.keep(record)
        self._on_doubt(record, flight.n, flight.k)
        self._owner.send_again(record)

    def _refused(self, connection: Connection, flight: Flight, status: int, at: Milliseconds) -> None:
        record, n, k = flight.record, flight.n, flight.k
        text = describe(status)
        kind = classify(status)
        self._shared.metrics.submits.add((self._carrier, kind.value))
        self._owner.stop_handing_over(record)
        if kind is StatusClass.THROTTLE:  # says nothing of the message: it is tried again as long as it is valid
            outcomes.throttled(record, n, k, status, text, at=at)
            self._owner.slow_down(flight.sent_at)
            self._owner.retry_later(record, failures=0)
            return
        if kind is StatusClass.CLOSE:
            connection.abort()
        is_permanent = kind is StatusClass.PERMANENT
        if k + 1 >= self._shared.settings.attempts or (is_permanent and not self._may_go_on(record)):
            outcomes.refused_for_good(record, n, k, status, text, at=at)
            return
        outcomes.refused_for_now(record, n, k, status, text, at=at)
        if is_permanent or self._has_had_enough(record.state.parts[n].attempts):
            if self._elsewhere.send(record, Why.REFUSED, may_wait=is_permanent):
                return
            if is_permanent:
                outcomes.refused_for_good(record, n, k, status, text, at=at)
                return
        self._owner.retry_later(record, failures=k)

    def _may_go_on(self, record: Record) -> bool:
        """Whether another carrier shall try what this one will never take, and there is one."""
        shared = self._shared
        return (
            shared.goes_on_when_refused(record.message) and self._elsewhere.next_for(record, may_wait=True) is not None
        )

    def _has_had_enough(self, attempts: Sequence[Attempt]) -> bool:
        """Whether this carrier has refused a part so often that another should have it."""
        refused = sum(attempt.carrier == self._carrier and bool(attempt.command_status) for attempt in attempts)
        return refused >= self._shared.settings.attempts_before_next

    def _release_slots(self, held: list[HeldSlot], succeeded: bool) -> None:
        """The answers are on disk: only now are their slots free, so that a crash resends no more than the window."""
        if not succeeded:
            self._loop.call_later(STORE_RETRY_SECONDS, self._keep_again, held)
            return
        for connection, sequence_number, _ in held:
            connection.release(sequence_number)
        self._owner.wake()

    def _keep_again(self, held: list[HeldSlot]) -> None:
        for slot in held:
            self._shared.after.gather(self._shared.store.update(slot[2]), self._release_all, slot)


def start(read: Coroutine[None, None, None], *, among: set[asyncio.Task[None]]) -> None:
    """Begin to read, and hold on to the task until it is done."""
    task = asyncio.get_running_loop().create_task(read)
    among.add(task)
    task.add_done_callback(among.discard)
