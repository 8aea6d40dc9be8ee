"""A carrier: its lanes, its binds and its one rate; it hands messages over.

The pump runs whenever something may have changed: records came, a slot was released, a bind came up, tokens grew. It
hands over until there is no free slot, no token or no record. Nothing in it waits.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Protocol, assert_never

import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.addresses import source_key
from gateway.delivery.answers import Answers, Flight
from gateway.delivery.awaiting import Awaiting
from gateway.delivery.binds import Bind
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.handover import source_address, submit_sm
from gateway.delivery.keeping import Keeping, forget_everywhere
from gateway.delivery.lanes import Lane
from gateway.delivery.later import Later
from gateway.delivery.levels import LevelQueue
from gateway.delivery.pace import Pace
from gateway.delivery.pool import Pool
from gateway.delivery.questions import Question
from gateway.delivery.queues import Queues
from gateway.delivery.refills import Refills
from gateway.delivery.settings import CarrierSettings, OnDoubt, WhenPaused
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.delivery.sources import SourceLimits
from gateway.delivery.turns import Turns
from gateway.delivery.underway import Handover, UnderWay
from gateway.delivery.waiting import Waiting
from gateway.delivery.wording import word_record
from gateway.message import FINAL, Attempt, Level, MessageId, Milliseconds, PartStatus, Priority, Record, Status
from gateway.rates import delay_seconds
from gateway.rulings import NotHere, Stop, Wait
from gateway.smpp import CancelSm, EncodeError, Pdu, QuerySm, SubmitSm

# One-time passwords that go before one of the others goes, while some of both wait.
OTP_RUN: Final = 20

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


class Carrier:
    """One SMSC account."""

    def __init__(
        self,
        settings: CarrierSettings,
        shared: Shared,
        waiting_on_disk: Mapping[str, int],
        latest: MessageId,
        listener: "CarrierListener",
        waiting: Waiting,
        elsewhere: Elsewhere,
    ) -> None:
        """`waiting_on_disk`: how many a start found in each lane; `latest`: the highest id that may be among them."""
        self.settings = settings
        self._waiting = waiting
        self._elsewhere = elsewhere
        self._sources = SourceLimits(settings.source_throughput)
        self.queues = Queues(
            settings.name,
            window=shared.settings.lane_window,
            waiting=waiting_on_disk,
            latest=latest,
            free_at=self._source_is_free_at if settings.source_throughput else None,
        )
        self._turns = Turns(OTP_RUN)
        self._shared = shared
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self.binds = [
            Bind(
                bind,
                self,
                response_timeout_seconds=settings.response_timeout_seconds,
                otp_share=settings.otp_share,
                random=shared.random,
            )
            for bind in settings.bind
        ]
        self._pool = Pool([bind for bind in self.binds if bind.can_send])
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
        self._pace = Pace(settings.throughput, otp_share=settings.otp_share, now=self._loop.time())
        self._retries = Later(self._loop, self._retry)
        self._under_way = UnderWay()
        self._put_back: set[MessageId] = set()  # in a lane for another time
        self._stranded: set[MessageId] = set()  # past their validity, and in doubt: they may not expire yet
        self._own_source = source_key(settings.source, settings.name)
        self._held_until = 0.0
        self._pump_scheduled = False
        self._pump_timer: asyncio.TimerHandle | None = None
        self._pump_timer_at = 0.0
        self._refills = Refills(shared, self.queues, self)
        metrics = shared.metrics
        self._queue_seconds = {priority: metrics.queue_seconds.series((priority,)) for priority in Priority}
        self.receipt_seconds = metrics.receipt_seconds.series((settings.name,))
        self.stopping = False
        self.is_up = False  # whether some bind could send now
        self._down_since = self._loop.time()
        self.paused: WhenPaused | None = None  # an operator has paused it, and this becomes of its queue

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def is_usable(self) -> bool:
        """Whether what comes to it now would leave."""
        return self.is_up and self.paused is None

    @property
    def gives_away(self) -> bool:
        """Whether it is paused, and what waits for it is to go by others."""
        return self.paused is WhenPaused.MOVE

    @property
    def seconds_down(self) -> float:
        """How long none of its binds has been able to send; 0 while one is."""
        return 0.0 if self.is_up else self._loop.time() - self._down_since

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
        return len(self.queues) + len(self._retries)

    # --- what wakes it -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something may be possible that was not: look, once this iteration of the loop is through."""
        if not self._pump_scheduled and not self.stopping:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def wake_in(self, seconds: float) -> None:
        """The same, so many seconds from now."""
        self._pump_at(self._loop.time() + seconds)

    def read_again(self, lane: Lane, message_id: MessageId) -> None:
        """A message that was left on disk in a lane may go."""
        self.queues.read_again(lane, message_id)
        self.wake()

    def offer(self, records: Sequence[Record]) -> None:
        """Messages that were just accepted."""
        live = self._shared.live
        for record in records:
            if self.queues.offer(record):
                live.add(record)
        self.wake()

    def send_again(self, record: Record) -> None:
        """Parts of a record in memory wait to go again: before all others of its lane, if it is not there already."""
        waits = any(part.status is PartStatus.WAITING for part in record.state.parts)
        waits = waits and record.state.status is not Status.SCHEDULED  # else it comes when its time has come
        if waits and not record.is_final and record.id not in self._put_back and not self._under_way.has(record):
            self._put_back.add(record.id)
            self.queues.put_back(record)
            self.wake()

    def pause(self, queue: WhenPaused | None) -> None:
        """Begin no more messages, and give the queue away or not; None: go on."""
        self.paused = queue
        self.wake()

    def take_waiting(self, level: Level, *, most: int) -> list[Record]:
        """Take messages of a level out of the queue, of those in memory; what is on disk follows them there."""
        queue, now, at = self.queues.levels[level], self._loop.time(), self._shared.clock()
        taken: list[Record] = []
        while len(taken) < most and (lane := queue.next_lane(now)) is not None:
            record = self._take(queue, lane, at)
            if record is not None:
                taken.append(record)
        self.wake()
        return taken

    def expire_waiting(self) -> None:
        """End those that went in part, or came back, and cannot go on before their validity ends."""
        stranded, self._stranded = self._stranded, set()
        for message_id in [
            *stranded,
            *self._put_back,
            *self._retries.ids(),
            *(each.record.id for each in self._under_way),
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
        self._refills.stop()

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
        while self._step(now, at):
            pass
        blocked_until = self.queues.blocked_until
        if blocked_until is not None:
            self._pump_at(blocked_until)
        self._refills.begin()

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

    def _step(self, now: float, at: Milliseconds) -> bool:
        """Hand over one part, or find that the next message does not go; False when nothing more can be done now.

        What is kept for one-time passwords is theirs alone; but when so many of them wait that they take everything,
        one of the others goes for every twenty.
        """
        queues, under_way = self.queues, self._under_way
        refused, most = len(self._retries), self._shared.settings.lane_window
        # When so much is refused for now, more of it would only fill the memory.
        goes_on = self.paused is None  # else only what has begun is finished
        otp = queues.otp.next_lane(now) if goes_on and refused < 2 * most else None
        others = queues.next_of_others(now) if goes_on and refused < most else None
        otp_waits = otp is not None or self._pool.goes_on(under_way.otp, takes_kept=True)
        others_wait = others is not None or self._pool.goes_on(under_way.others, takes_kept=otp_waits)
        turn = self._turns.next((otp_waits, others_wait))
        if turn is None:
            return False
        delay = self._pace.ready_in(now=now, takes_kept=otp_waits)
        if delay:
            self._pump_at(now + delay)
            return False
        track = under_way.others if turn else under_way.otp
        bind = self._pool.next_bind(track, takes_kept=otp_waits)
        if bind is None:
            return False
        handover = track.get(bind.name) if track else None
        if handover is not None and not self._may_go(handover.record, at):
            del track[bind.name]
            return True
        if handover is None:
            if turn and others is not None:
                handover = self._next_handover(*others, at)
            elif otp is not None and not turn:
                handover = self._next_handover(queues.otp, otp, at)
            else:
                return False  # it goes on by another bind, which has no room
            if handover is None:
                return True
            if turn and others is not None:
                queues.taken(others[0])
            if handover.wording.parts > 1:
                track[bind.name] = handover
        self._turns.taken(turn)
        self._hand_over(bind, handover, track, now, at)
        return True

    def _next_handover(self, queue: LevelQueue, lane: Lane, at: Milliseconds) -> Handover | None:
        """Take the next message of a lane, all of whose parts will leave by one bind; None when it does not go."""
        record = self._take(queue, lane, at)
        if record is None or not self._rules_allow(record, at):
            return None
        wording = word_record(record, self.settings)
        if wording is None:
            self._give_up(record, at)
            return None
        return Handover(record, wording)

    def _take(self, queue: LevelQueue, lane: Lane, at: Milliseconds) -> Record | None:
        """The next message of a lane; None when it has ended, or its batch is stopped."""
        record = queue.take(lane)
        came_back = record.id in self._put_back
        if came_back:
            self._put_back.discard(record.id)
        if not self._may_go(record, at):
            return None
        if self._shared.stops and self._shared.stops.holds(record.message) and record.status is Status.QUEUED:
            self._stay(record, lane, came_back=came_back)
            return None
        return record

    def _source_is_free_at(self, record: Record) -> float:
        return self._sources.free_at(source_address(record.message, self.settings))

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

    def _hand_over(
        self, bind: Bind, handover: Handover, track: dict[str, Handover], now: float, at: Milliseconds
    ) -> None:
        """Hand over the next waiting part of a message: at once, or, where one copy is the rule, after its intent."""
        record, message = handover.record, handover.record.message
        n = record.first_waiting()
        if track and (n is None or record.is_final or record.first_waiting(after=n) is None):
            track.pop(bind.name, None)
        if n is None or record.is_final:
            return
        self._pace.spend(handover.wording.segments)
        shared, connection = self._shared, bind.connection
        assert connection is not None
        body, reference = submit_sm(message, handover.wording, n, self.settings, now=at)
        if self.settings.source_throughput:
            self._sources.spend(body.source_addr, handover.wording.segments, now=now)
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
        self.is_up = self._pool.is_up
        self.wake()

    def bind_is_down(self, bind: Bind, connection: Connection) -> None:
        """What was not handed over yet leaves by another bind, or later."""
        self._listener.connection_ended(self, connection)
        if self.is_up and not self._pool.is_up:
            self.is_up = False
            self._down_since = self._loop.time()
        for record in self._under_way.leave(bind.name):
            self.send_again(record)
        self.wake()

    def events_done(self, bind: Bind) -> None:
        self.wake()

    def request_received(self, bind: Bind, connection: Connection, pdu: Pdu) -> None:
        self._listener.request_received(self, connection, pdu)

    def stop_handing_over(self, record: Record) -> None:
        """One of its parts was refused: its other parts do not leave before that one may."""
        self._under_way.drop(record)

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
        bind = self._pool.next_bind((), takes_kept=False)
        return None if bind is None else bind.ask(body)

    def look_again(self) -> None:
        """A batch was stopped: what was about to go has its turn once more."""
        for record in [handover.record for handover in self._under_way if handover.record.status is Status.QUEUED]:
            self._under_way.drop(record)
            self.send_again(record)

    def _retry(self, due: list[MessageId]) -> None:
        for message_id in due:
            record = self._shared.live.get(message_id)
            if record is not None:
                self.send_again(record)
