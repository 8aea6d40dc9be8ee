"""Asking carriers what became of messages whose receipt is overdue: query_sm (SMPP 3.4, section 4.8).

It needs the carrier's message id, so it is for parts that were submitted. An answer with a final state is as good as a
receipt; what is still on its way, or unknown to the carrier, is asked for again when as much time has passed once more.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from gateway.delivery.carriers import Carrier
from gateway.delivery.handover import query_sm
from gateway.delivery.outcomes import RECEIPT_OUTCOMES
from gateway.delivery.questions import Question
from gateway.delivery.shared import Shared
from gateway.message import MessageId, Milliseconds, PartStatus, Record
from gateway.smpp import QuerySmResp
from gateway.store.api import StoreError

UNANSWERED_LIMIT: Final = 10  # queries under way at one carrier: its window is for messages
ASKED_LIMIT: Final = 100_000  # parts of which it is known when they were asked for, about 150 bytes each

# A record, its part and attempt, the message_state and error_code that the carrier told, and when.
OnState = Callable[[Carrier, Record, int, int, int, str, Milliseconds], None]

_FINAL: Final = frozenset(map(int, RECEIPT_OUTCOMES))

log = structlog.get_logger(__name__)


class Queries:
    """Asks, a few at a time, and passes on what carriers answer."""

    def __init__(self, shared: Shared, carriers: Mapping[str, Carrier], on_state: OnState) -> None:
        self._shared = shared
        self._carriers = carriers
        self._on_state = on_state
        self._asked: OrderedDict[tuple[MessageId, int], Milliseconds] = OrderedDict()  # longest ago first
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, record: Record, *, now: Milliseconds) -> None:
        """Ask for the parts of a message whose receipts are overdue, where their carriers can be asked."""
        for n, part in enumerate(record.state.parts):
            if part.status is not PartStatus.SUBMITTED:
                continue
            k = len(part.attempts) - 1
            attempt = part.attempts[k]
            carrier = self._carriers.get(attempt.carrier)
            if carrier is None or not carrier.settings.query_sm or not attempt.carrier_message_id:
                continue
            pause = round(carrier.settings.receipt_overdue_seconds * 1_000)
            if now < max(attempt.at, self._asked.get((record.id, n), 0)) + pause:
                continue
            if self._under_way[carrier.name] >= UNANSWERED_LIMIT:
                continue
            question = carrier.ask(query_sm(record.message, attempt.carrier_message_id, carrier.settings))
            if question is not None:
                self._note(record.id, n, now)
                self._under_way[carrier.name] += 1
                task = asyncio.get_running_loop().create_task(
                    self._wait(question, carrier, record.id, n, attempt.carrier_message_id)
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Wait for no more answers."""
        for task in self._tasks:
            task.cancel()

    def _note(self, message_id: MessageId, n: int, now: Milliseconds) -> None:
        self._asked[message_id, n] = now
        self._asked.move_to_end((message_id, n))
        if len(self._asked) > ASKED_LIMIT:
            self._asked.popitem(last=False)

    async def _wait(
        self, question: Question, carrier: Carrier, message_id: MessageId, n: int, carrier_message_id: str
    ) -> None:
        try:
            status = await question.answered
        finally:
            self._under_way[carrier.name] -= 1
        response = question.response
        if status != 0 or not isinstance(response, QuerySmResp) or response.message_state not in _FINAL:
            return
        try:
            with self._shared.live.reading() as reading:
                stored = await self._shared.store.read(message_id)
                record = None if stored is None else reading.adopt(stored)
        except StoreError as error:
            log.warning("could not read a message that was asked for", message=str(message_id), error=str(error))
            return
        if record is None:
            return  # it left the memory while it was read: it has moved, or it is asked for again
        if not record.is_final:
            carrier.watch(record)
        for k, attempt in enumerate(record.state.parts[n].attempts):
            if attempt.carrier == carrier.name and attempt.carrier_message_id == carrier_message_id:
                error_code = f"{response.error_code:03d}" if response.error_code else ""
                self._on_state(carrier, record, n, k, response.message_state, error_code, self._shared.clock())
                return
