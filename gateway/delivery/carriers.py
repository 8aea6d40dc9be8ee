"""A carrier: its lanes, its binds and its one rate."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.answers import Answers
from gateway.delivery.awaiting import Awaiting
from gateway.delivery.binds import Bind
from gateway.delivery.departures import Departures
from gateway.delivery.elsewhere import Elsewhere
from gateway.delivery.handover import source_address
from gateway.delivery.keeping import Keeping, forget_everywhere
from gateway.delivery.lanes import Lane
from gateway.delivery.later import Later
from gateway.delivery.levels import LevelQueue
from gateway.delivery.pace import Pace
from gateway.delivery.pool import Pool
from gateway.delivery.pump import Pump
from gateway.delivery.questions import Question
from gateway.delivery.queues import Queues
from gateway.delivery.refills import Refills
from gateway.delivery.second_look import SecondLook
from gateway.delivery.settings import CarrierSettings, WhenPaused
from gateway.delivery.shared import Shared
from gateway.delivery.sources import SourceLimits
from gateway.delivery.underway import Handover, UnderWay
from gateway.delivery.waiting import Waiting
from gateway.delivery.wording import word_record
from gateway.message import Level, MessageId, Milliseconds, PartStatus, Record, Status
from gateway.rates import delay_seconds
from gateway.smpp import CancelSm, Pdu, QuerySm

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
        self._sources = SourceLimits(settings.source_throughput)
        self.queues = Queues(
            settings.name,
            window=shared.settings.lane_window,
            waiting=waiting_on_disk,
            latest=latest,
            free_at=self._source_is_free_at if settings.source_throughput else None,
        )
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
        self._refills = Refills(shared, self.queues, self)
        departures = Departures(settings, shared, self._pace, self._sources, keep=keeping.keep, origin=self)
        self.hand_over = departures.hand_over
        self._second_look = SecondLook(settings.name, shared, waiting, elsewhere, keep=keeping.keep, owner=self)
        self.may_go = self._second_look.may_go
        self._pump = Pump(
            queues=self.queues,
            pool=self._pool,
            pace=self._pace,
            under_way=self._under_way,
            refused=self._retries,
            most_refused=shared.settings.lane_window,
            hands=self,
            clock=shared.clock,
        )
        self.wake = self._pump.wake
        self.wake_in = self._pump.wake_in
        self.hold = self._pump.hold
        self.receipt_seconds = shared.metrics.receipt_seconds.series((settings.name,))
        self.is_up = False  # whether some bind could send now
        self._down_since = self._loop.time()
        self.paused: WhenPaused | None = None  # an operator has paused it, and this becomes of its queue

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def stopping(self) -> bool:
        """Whether it hands over nothing more, for ever."""
        return self._pump.is_stopped

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

    # --- what comes ---------------------------------------------------------------------------------------------------

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
        self._pump.is_paused = queue is not None
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
        for message_id in [
            *self._second_look.take_stranded(),
            *self._put_back,
            *self._retries.ids(),
            *(each.record.id for each in self._under_way),
        ]:
            record = self._shared.live.get(message_id)
            if record is not None:
                self.may_go(record, self._shared.clock())

    def stop(self) -> None:
        """Hand over nothing more. What is under way may still be answered."""
        self._pump.stop()
        self._retries.stop()
        self._refills.stop()

    # --- what goes ---------------------------------------------------------------------------------------------------

    def read_more(self) -> None:
        """Read from disk what the lanes have room for."""
        self._refills.begin()

    def next_handover(self, queue: LevelQueue, lane: Lane, at: Milliseconds) -> Handover | None:
        """Take the next message of a lane, all of whose parts will leave by one bind; None when it does not go."""
        record = self._take(queue, lane, at)
        if record is None or not self._second_look.rules_allow(record, at):
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
        if not self.may_go(record, at) or self._second_look.is_stopped(record, lane, came_back=came_back):
            return None
        return record

    def _source_is_free_at(self, record: Record) -> float:
        return self._sources.free_at(source_address(record.message, self.settings))

    def _give_up(self, record: Record, at: Milliseconds) -> None:
        """Some of its parts have gone, and the others cannot follow them: the carrier's settings are others now."""
        n = record.first_waiting()
        assert n is not None
        outcomes.cannot_follow(record, n, "the carrier takes long texts in another form now", at=at)
        self.keep(record)

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
