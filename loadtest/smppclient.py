"""The client of a load over SMPP: binds that send what is due, and follow each part to its receipt."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.connection import Connection, open_connection
from gateway.smpp import (
    BindTransceiver,
    CommandStatus,
    DeliverSm,
    DeliverSmResp,
    Event,
    MessageState,
    RequestReceived,
    RequestUnanswered,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    State,
    SubmitSm,
    SubmitSmResp,
    describe,
    parse_receipt,
)
from loadtest.accounting import Accounting, Answer
from loadtest.errors import CannotRun
from loadtest.openloop import AT_ONCE, LEAD_SECONDS, Stages
from loadtest.smppsupply import SmppMessage, SmppSupply

MOST_WAITING: Final = 100_000  # messages for a place in a window; what would be more is counted as unsent
MOST_EARLY: Final = 100_000  # receipts that are there before the answer that gives their id
BIND_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.02

_THROTTLED: Final = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_ON_THE_WAY: Final = frozenset({MessageState.ENROUTE, MessageState.ACCEPTED, MessageState.SCHEDULED})
_RANKS: Final = ("delivered", "unknown", "failed")  # of a message's parts the worst decides


class SmppTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An SMSC, and how to bind to it."""

    host: str
    port: int
    system_id: str
    password: str
    binds: int
    window: int


class _Open(msgspec.Struct):
    """A message under way: how many parts wait for their answer and their receipt, and the worst of each."""

    answers: int
    receipts: int
    answer: Answer = Answer.ACCEPTED
    ending: str = _RANKS[0]


class SmppLoad:
    """One load over SMPP. `connect` first, `close` last."""

    def __init__(self, supply: SmppSupply, accounting: Accounting, target: SmppTarget) -> None:
        self._supply = supply
        self._accounting = accounting
        self._target = target
        self._waiting: dict[Connection, deque[tuple[int, SubmitSm]]] = {}
        self._messages: dict[int, _Open] = {}
        self._places: dict[str, int] = {}  # of messages, by the ids of their parts that have no receipt yet
        self._early: dict[str, str] = {}
        self._bound: Counter[str] = Counter()
        self.stages = Stages()
        self.errors: dict[str, int] = {}
        self.clock: Callable[[], float] = time.perf_counter
        self.started_at = 0.0
        self.last_final_at = 0.0

    @property
    def open_requests(self) -> int:
        """Parts that wait for their turn or for an answer."""
        return sum(len(waiting) + connection.window_in_use for connection, waiting in self._waiting.items())

    @property
    def early(self) -> int:
        """Receipts about ids that no answer has given: strangers, once all is over."""
        return len(self._early)

    async def connect(self) -> None:
        """Open every bind. Raises CannotRun when one is not had."""
        target = self._target
        settings = SessionSettings(window=target.window)
        bind = BindTransceiver(system_id=target.system_id, password=target.password)
        try:
            for _ in range(target.binds):
                connection = await open_connection(target.host, target.port, settings=settings, on_events=self._take)
                self._waiting[connection] = deque()
                connection.send(bind)
                await self._wait_until_bound(connection)
        except (OSError, TimeoutError) as error:
            raise CannotRun(f"the SMSC at {target.host}:{target.port} cannot be bound to: {error!r}") from error

    async def close(self) -> None:
        """Unbind all."""
        await asyncio.gather(*(connection.unbind(timeout_seconds=2.0) for connection in self._waiting))

    async def send(self, arrivals: Sequence[float]) -> None:
        """Send a message at each moment, in seconds from the start, and wait for the last answer."""
        self.started_at = self.clock() + LEAD_SECONDS
        connections = list(self._waiting)
        for n, arrival in enumerate(arrivals):
            due = self.started_at + arrival
            message = self._supply.make_message()
            [place] = self._accounting.take_request(message.request, due)
            ahead = due - self.clock()
            if ahead > 0 or n % AT_ONCE == 0:
                await asyncio.sleep(max(0.0, ahead))
            self._hand_over(message, place, connections[n % len(connections)])
        # Each ends by its answer, by the response timeout of the session, or with its bind.
        while True:
            if not any(each.answers for each in self._messages.values()):
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _hand_over(self, message: SmppMessage, place: int, connection: Connection) -> None:
        """Give all parts of a message to one bind, which keeps their order."""
        waiting = self._waiting[connection]
        if connection.state is not State.BOUND_TRX:
            self._fail(place, Answer.FAILED, "no bind")
        elif len(self._messages) >= MOST_WAITING and len(waiting) >= MOST_WAITING // len(self._waiting):
            self._fail(place, Answer.UNSENT, "too many wait")
        else:
            self._messages[place] = _Open(len(message.parts), len(message.parts))
            waiting.extend((place, part) for part in message.parts)
            self._pump(connection)

    def _pump(self, connection: Connection) -> None:
        """Send what waits, as far as the window goes."""
        waiting = self._waiting[connection]
        if connection.state is not State.BOUND_TRX:
            return
        for _ in range(min(connection.window_free, len(waiting))):
            place, part = waiting.popleft()
            connection.send(part, context=place)
            self.stages.late.record(self.clock() - self._accounting.due[place])

    def _take(self, connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case ResponseReceived(request=SubmitSm(), context=int() as place):
                    self._answered(place, event)
                case RequestReceived(pdu=pdu) if isinstance(pdu.body, DeliverSm):
                    self._told(pdu.body)
                    connection.respond(pdu, DeliverSmResp())
                case RequestUnanswered(request=SubmitSm(), context=int() as place):
                    self._part_answered(place, Answer.FAILED, "no answer in time")
                case ResponseReceived(request=BindTransceiver()) if event.command_status:
                    self._bound[describe(event.command_status)] += 1
                case SessionBroken(unanswered=unanswered) | SessionClosed(unanswered=unanswered):
                    self._ended(connection, [each.context for each in unanswered])
                case _:
                    pass  # keep-alives and the like are the session's own
        self._pump(connection)

    def _answered(self, place: int, event: ResponseReceived) -> None:
        if event.late:
            return  # it was counted as failed when its time was up
        if event.command_status:
            answer = Answer.TURNED_AWAY if event.command_status in _THROTTLED else Answer.REFUSED
            self._part_answered(place, answer, describe(event.command_status))
        elif isinstance(event.response, SubmitSmResp):
            message_id = event.response.message_id
            self._part_answered(place, Answer.ACCEPTED, "")
            if message_id in self._early:
                self._part_ended(place, self._early.pop(message_id))
            else:
                self._places[message_id] = place

    def _part_answered(self, place: int, answer: Answer, why: str) -> None:
        message = self._messages[place]
        message.answers -= 1
        if answer is not Answer.ACCEPTED:
            message.answer = answer
            message.receipts -= 1
            self.errors[why] = self.errors.get(why, 0) + 1
        if message.answers == 0:
            self._accounting.take_answer(range(place, place + 1), message.answer)
            if message.answer is Answer.ACCEPTED:
                self.stages.accept.record(self.clock() - self._accounting.due[place])
            self._conclude(place, message)

    def _told(self, deliver: DeliverSm) -> None:
        receipt = parse_receipt(deliver)
        if receipt is None or receipt.intermediate or receipt.state in _ON_THE_WAY:
            return
        ending = {MessageState.DELIVERED: "delivered", MessageState.UNKNOWN: "unknown"}.get(receipt.state, "failed")
        place = self._places.pop(receipt.message_id, None)
        if place is not None:
            self._part_ended(place, ending)
        elif len(self._early) < MOST_EARLY:
            self._early[receipt.message_id] = ending

    def _part_ended(self, place: int, ending: str) -> None:
        message = self._messages.get(place)
        if message is None:
            return  # another part was refused: the message has ended already
        message.receipts -= 1
        message.ending = max(message.ending, ending, key=_RANKS.index)
        self._conclude(place, message)

    def _conclude(self, place: int, message: _Open) -> None:
        """Every part has had its answer, and every part that was taken its receipt: the message is final."""
        if message.answers or message.receipts > 0:
            return
        del self._messages[place]
        if message.answer is Answer.ACCEPTED:
            now = self.clock()
            self._accounting.take_ending(place, message.ending)
            self.stages.record_final(now - self._accounting.due[place], self._accounting.kinds[place])
            self.last_final_at = now

    def _ended(self, connection: Connection, unanswered: Sequence[object]) -> None:
        waiting = self._waiting[connection]
        for place in (*unanswered, *(place for place, _ in waiting)):
            if isinstance(place, int):
                self._part_answered(place, Answer.FAILED, "the bind was lost")
        waiting.clear()

    def _fail(self, place: int, answer: Answer, why: str) -> None:
        self._accounting.take_answer(range(place, place + 1), answer)
        self.errors[why] = self.errors.get(why, 0) + 1

    async def _wait_until_bound(self, connection: Connection) -> None:
        deadline = self.clock() + BIND_SECONDS
        while connection.state is not State.BOUND_TRX:
            if self._bound or connection.closed.done() or self.clock() > deadline:
                why = ", ".join(self._bound) or "no answer"
                raise CannotRun(f"the SMSC at {self._target.host}:{self._target.port} refuses the bind: {why}")
            await asyncio.sleep(LOOK_SECONDS)
