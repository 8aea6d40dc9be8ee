"""A carrier: its lanes, its binds and its one rate; it hands messages over.

The pump runs whenever something may have changed: records came, a slot was released, a bind came up, tokens grew. It
hands over until there is no free slot, no token or no record. Nothing in it waits.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Protocol, assert_never

import msgspec
import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.addresses import source_key
from gateway.delivery.answers import Answers, Flight, start
from gateway.delivery.awaiting import Awaiting
from gateway.delivery.binds import Bind
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.handover import source_address, submit_sm
from gateway.delivery.keeping import Keeping, forget_everywhere
from gateway.delivery.lanes import Lane
from gateway.delivery.later import Later
from gateway.delivery.pace import Pace
from gateway.delivery.questions import Question
from gateway.delivery.settings import CarrierSettings, OnDoubt
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.delivery.waiting import Waiting
from gateway.delivery.wording import Wording, word_record
from gateway.message import FINAL, Attempt, MessageId, Milliseconds, PartStatus, Priority, Record, Status
from gateway.rates import delay_seconds
from gateway.rulings import NotHere, Stop, Wait
from gateway.smpp import CancelSm, EncodeError, Pdu, QuerySm, SubmitSm
from gateway.store.api import StoreError

# One message of the lowest lane goes for so many of the one above it, so that it is slowed and never stopped.
LOW_SHARE: Final = 5

log = structlog.get_logger(__name__)


class CarrierListener(Protocol):
    """Who takes what a carrier sends by itself, and looks for receipts that came too early."""

    def request_received(self, carrier: "Carrier", connection: Connection, pdu: Pdu) -> None: ...

    def connection_ended(self, carrier: "Carrier", connection: Connection) -> None:
        """A bind went down: what it was answered of late may not have arrived."""

    def part_accepted(self, carrier: "Carrier", record: Record, n: int, k: int) -> None:
        """An attempt was answered: a receipt with its id may be waiting."""

    def part_in_doubt(self, carrier: "Carrier", record: Record, n: int, k: int) -> None:
        """An attempt will not be answered: a receipt that proves it may be waiting."""


class Handover(msgspec.Struct):
    """A message that is being handed over, part by part, through one bind."""

    record: Record
    wording: Wording


class Carrier:
    """One SMSC account."""

    def __init__(
        self,
        settings: CarrierSettings,
        shared: Shared,
        lanes: Mapping[Priority, Lane],
        listener: "CarrierListener",
        waiting: Waiting,
        elsewhere: Elsewhere,
    ) -> None:
        self.settings = settings
        self._waiting = waiting
        self._elsewhere = elsewhere
        self.lanes = lanes
        self._in_order = tuple(lanes[priority] for priority in Priority)  # high, normal, low
        self._shared = shared
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self.binds = [
            Bind(bind, self, response_timeout_seconds=settings.response_timeout_seconds, random=shared.random)
            for bind in settings.bind
        ]
        self._senders = [bind for bind in self.binds if bind.can_send]
        self.awaiting = Awaiting(
            form=settings.message_id,
            limit=shared.settings.awaiting_in_memory,
            source_of=lambda message: source_address(message, settings),
            on_evicted=self._evicted,
        )
        shared.awaiting[settings.name] = self.awaiting
        keeping = Keeping(settings.name, shared, self.awaiting)
        self.keep = keeping.keep
        self.watch = keeping.watch
        answers = Answers(
            settings.name,
            shared,
            self.awaiting,
            self,
            elsewhere,
            on_accepted=partial(listener.part_accepted, self),
            on_doubt=partial(listener.part_in_doubt, self),
        )
        self.response_received = answers.response_received
        self.request_unanswered = answers.request_unanswered
        self._pace = Pace(settings.throughput, now=self._loop.time())
        self._retries = Later(self._loop, self._retry)
        self._under_way: dict[str, Handover] = {}  # by bind: the message whose parts it is taking
        self._put_back: set[MessageId] = set()  # in a lane for another time
        self._stranded: set[MessageId] = set()  # past their validity, and in doubt: they may not expire yet
        self._own_source = source_key(settings.source, settings.name)
        self._held_until = 0.0
        self._turn = 0
        self._pump_scheduled = False
        self._pump_timer: asyncio.TimerHandle | None = None
        self._pump_timer_at = 0.0
        self._refills: set[asyncio.Task[None]] = set()
        metrics = shared.metrics
        self._queue_seconds = {priority: metrics.queue_seconds.series((priority,)) for priority in Priority}
        self.receipt_seconds = metrics.receipt_seconds.series((settings.name,))
        self.stopping = False
        self.is_up = False  # whether some bind could send now

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def is_usable(self) -> bool:
        """Whether what comes to it now would leave."""
        return self.is_up

    @property
    def rate(self) -> float:
        """Segments a second that it is sent at most, by what it has complained of."""
        return self._pace.rate(now=self._loop.time())

    @property
    def in_use(self) -> int:
        """Window slots taken, over all binds."""
        return sum(bind.in_use for bind in self.binds)

    @property
    def waiting(self) -> int:
        """Messages in its lanes, on disk too, and those to be retried."""
        return sum(len(lane) for lane in self.lanes.values()) + len(self._retries)

    # --- what wakes it -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be possible that was not: look, once this iteration of the loop is through."""
        if not self._pump_scheduled and not self.stopping:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def offer(self, records: Sequence[Record]) -> None:
        """Messages that were just accepted."""
        live = self._shared.live
        for record in records:
            if self.lanes[record.message.priority].offer(record):
                live.add(record)
        self.wake()

    def send_again(self, record: Record) -> None:
        """Parts of a record in memory wait to go again: before all others of its lane, if it is not there already."""
        waits = any(part.status is PartStatus.WAITING for part in record.state.parts)
        under_way = any(handover.record is record for handover in self._under_way.values())
        waits = waits and record.state.status is not Status.SCHEDULED  # else it comes when its time has come
        if waits and not under_way and not record.is_final and record.id not in self._put_back:
            self._put_back.add(record.id)
            self.lanes[record.message.priority].put_back(record)
            self.wake()

    def expire_waiting(self) -> None:
        """End those that went in part, or came back, and cannot go on before their validity ends."""
        stranded, self._stranded = self._stranded, set()
        for message_id in [
            *stranded,
            *self._put_back,
            *self._retries.ids(),
            *(each.record.id for each in self._under_way.values()),
        ]:
            record = self._shared.live.get(message_id)
            if record is not None:
                self._may_go(record, self._shared.clock())

    def stop(self) -> None:
        """Hand over nothing more. What is under way may still be answered."""
        self.stopping = True
        self._retries.stop()
        if self._pump_timer is not None:
            self._pump_timer.cancel()
        for task in self._refills:
            task.cancel()

    # --- the pump ----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self.stopping:
            return
        now = self._loop.time()
        if now < self._held_until:
            self._pump_at(self._held_until)
            return
        at = self._shared.clock()
        under_way, pace = self._under_way, self._pace
        while (bind := self._next_bind()) is not None:
            handover = (under_way and under_way.get(bind.settings.name)) or None
            if handover is not None and not self._may_go(handover.record, at):
                del under_way[bind.settings.name]
                continue
            handover = handover or self._next_handover(bind, at)
            if handover is None:
                break
            if not pace.take(handover.wording.segments, now=now):
                under_way.setdefault(bind.settings.name, handover)
                self._pump_at(now + pace.ready_in())
                break
            self._hand_over(bind, handover, now, at)
        for lane in self._in_order:
            if lane.wants_refill:
                self._refill(lane)

    def _pump_at(self, when: float) -> None:
        if self._pump_timer is not None:
            if self._pump_timer_at <= when:
                return
            self._pump_timer.cancel()
        self._pump_timer_at = when
        self._pump_timer = self._loop.call_at(when, self._pump_on_time)

    def _pump_on_time(self) -> None:
        self._pump_timer = None
        self._pump()

    def _next_bind(self) -> Bind | None:
        """Which bind takes the next part: one that is in the middle of a message, else the one with most free slots."""
        best, most, under_way = None, 0, self._under_way
        for bind in self._senders:
            free = bind.free
            if free > 0 and under_way and bind.settings.name in under_way:
                return bind
            if free > most:
                best, most = bind, free
        return best

    def _next_handover(self, bind: Bind, at: Milliseconds) -> Handover | None:
        """The next message to go, all of whose parts will leave by this bind."""
        if len(self._retries) >= self._shared.settings.lane_window:
            return None  # so much is refused for now that more of it would only fill the memory
        while True:
            lane = self._next_lane()
            if lane is None:
                return None
            record = lane.take()
            came_back = record.id in self._put_back
            if came_back:
                self._put_back.discard(record.id)
            if not self._may_go(record, at):
                continue
            if self._shared.stops and self._shared.stops.holds(record.message) and record.status is Status.QUEUED:
                self._stay(record, lane, came_back=came_back)
            elif self._rules_allow(record, at):
                wording = word_record(record, self.settings)
                if wording is None:
                    self._give_up(record, at)
                    continue
                handover = Handover(record, wording)
                if wording.parts > 1:
                    self._under_way[bind.settings.name] = handover
                return handover

    def _next_lane(self) -> Lane | None:
        high, normal, low = self._in_order
        if high.oldest is not None:
            return high
        if normal.oldest is not None and low.oldest is not None:
            self._turn = (self._turn + 1) % LOW_SHARE
            return low if self._turn == 0 else normal
        return normal if normal.oldest is not None else low if low.oldest is not None else None

    def _may_go(self, record: Record, at: Milliseconds) -> bool:
        """Look again at what may have changed since acceptance. A record that ended in the meantime is skipped."""
        if record.state.status in FINAL or record.first_waiting() is None:
            return False
        if record.message.expires_at > at:
            return True
        if outcomes.end(record, Status.EXPIRED, at=at, reason="validity ended"):
            self.keep(record)
        else:
            self._stranded.add(record.id)
        return False

    def _stay(self, record: Record, lane: Lane, *, came_back: bool) -> None:
        """The batch of a message is stopped: it waits for that to end."""
        if came_back:
            self._shared.stops.keep(self, record)
            return
        self._shared.live.drop(record)
        lane.leave_on_disk()
        self._shared.stops.leave(self, lane, record.message)

    def _give_up(self, record: Record, at: Milliseconds) -> None:
        """Some of its parts have gone, and the others cannot follow them: the carrier's settings are others now."""
        n = record.first_waiting()
        assert n is not None
        outcomes.cannot_follow(record, n, "the carrier takes long texts in another form now", at=at)
        self.keep(record)

    def _rules_allow(self, record: Record, at: Milliseconds) -> bool:
        """Ask the rules again, unless some part has left: the rest of a message follows its beginning."""
        if record.state.status is not Status.QUEUED:
            return True
        ruling = self._shared.gate.hand_over(record.message, self.settings.name, now=at)
        match ruling:
            case None:
                return True
            case Wait():
                self._waiting.put_off(record, ruling, at=at)
            case NotHere() if self._elsewhere.send(record, Why.BLACKLISTED):
                pass
            case NotHere() | Stop():
                outcomes.end(record, Status.FAILED, at=at, reason=ruling.reason)
                self.keep(record)
            case _:
                assert_never(ruling)
        return False

    def _hand_over(self, bind: Bind, handover: Handover, now: float, at: Milliseconds) -> None:
        """Hand over the next waiting part of a message: at once, or, where one copy is the rule, after its intent."""
        record, message = handover.record, handover.record.message
        n = record.first_waiting()
        if self._under_way and (n is None or record.is_final or record.first_waiting(after=n) is None):
            self._under_way.pop(bind.settings.name, None)
        if n is None or record.is_final:
            return
        shared, connection = self._shared, bind.connection
        assert connection is not None
        body, reference = submit_sm(message, handover.wording, n, self.settings, now=at)
        if record.status is Status.QUEUED and not record.state.parts[n].attempts:
            self._queue_seconds[message.priority].observe((at - message.accepted_at) / 1000)
        if n == 0:
            source = source_key(body.source_addr, self.name) if message.sender else self._own_source
            shared.last_sent.note(source, message.to, message.id)
        attempt = Attempt(self.settings.name, bind.settings.name, at, "", None, "", reference)
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
            self.keep(record)

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
        self.keep(record)
        if not succeeded:
            self.hold(STORE_RETRY_SECONDS)
        self.send_again(record)

    # --- what its binds tell it --------------------------------------------------------------------------------------

    def bind_is_up(self, bind: Bind) -> None:
        self.is_up = any(bind.is_up for bind in self._senders)
        self.wake()

    def bind_is_down(self, bind: Bind, connection: Connection) -> None:
        """What was not handed over yet leaves by another bind, or later."""
        self._listener.connection_ended(self, connection)
        self.is_up = any(bind.is_up for bind in self._senders)
        handover = self._under_way.pop(bind.name, None)
        if handover is not None:
            self.send_again(handover.record)
        self.wake()

    def events_done(self, bind: Bind) -> None:
        self.wake()

    def request_received(self, bind: Bind, connection: Connection, pdu: Pdu) -> None:
        self._listener.request_received(self, connection, pdu)

    def stop_handing_over(self, record: Record) -> None:
        """One of its parts was refused: its other parts do not leave before that one may."""
        self._under_way = {name: each for name, each in self._under_way.items() if each.record is not record}

    def slow_down(self, sent_at: float) -> None:
        """What left at that time was more than it takes at once."""
        before = self.rate
        if self._pace.throttled(sent_at=sent_at, now=self._loop.time()) and before >= self.settings.throughput:
            log.warning("a carrier complains of the rate: it is sent to more slowly", carrier=self.name)

    def hold(self, seconds: float) -> None:
        """Hand over nothing for so long."""
        self._held_until = max(self._held_until, self._loop.time() + seconds)

    def retry_later(self, record: Record, *, failures: int) -> None:
        """Send again what was refused, after a pause that grows with the failures."""
        settings = self._shared.settings
        delay = delay_seconds(
            failures, first_seconds=settings.retry_first_seconds, longest_seconds=settings.retry_longest_seconds
        )
        self._retries.add(record.id, due=self._loop.time() + delay * (1 - 0.5 * self._shared.random()))

    def _evicted(self, record: Record) -> None:
        """Newer ones need the room of a record that awaits its receipt."""
        forget_everywhere(record, self._shared)
        self._shared.live.drop_if_at_rest(record)

    def ask(self, body: CancelSm | QuerySm) -> Question | None:
        """Ask about a message that it took; None when no bind can."""
        bind = max((bind for bind in self._senders if bind.free > 0), key=lambda bind: bind.free, default=None)
        return None if bind is None else bind.ask(body)

    def look_again(self) -> None:
        """A batch was stopped: what was about to go has its turn once more."""
        for name, handover in list(self._under_way.items()):
            if handover.record.status is Status.QUEUED:
                del self._under_way[name]
                self.send_again(handover.record)

    def _retry(self, due: list[MessageId]) -> None:
        for message_id in due:
            record = self._shared.live.get(message_id)
            if record is not None:
                self.send_again(record)

    def _refill(self, lane: Lane) -> None:
        lane.start_refill()
        start(self._read_refill(lane), among=self._refills)

    async def _read_refill(self, lane: Lane) -> None:
        limit = lane.refill_limit
        live = self._shared.live
        with live.reading() as reading:
            try:
                records = await self._shared.store.queued(lane.name, after=lane.cursor, limit=limit)
            except StoreError as error:
                log.warning("could not read a lane", lane=lane.name, error=str(error))
                lane.cancel_refill()
                self._pump_at(self._loop.time() + STORE_RETRY_SECONDS)
                return
            fresh = [record for record in records if reading.is_fresh(record.id)]
            if self._shared.stops:
                fresh = self._leave_stopped(lane, fresh)
            for record in fresh:
                live.add(record)
        lane.finish_refill(fresh, last=records[-1].id if records else None, complete=len(records) < limit)
        self.wake()

    def _leave_stopped(self, lane: Lane, records: Sequence[Record]) -> list[Record]:
        """Leave on disk what belongs to batches that are stopped; returns the others."""
        stops = self._shared.stops
        going = []
        for record in records:
            if stops.holds(record.message):
                stops.leave(self, lane, record.message)
            else:
                going.append(record)
        return going
