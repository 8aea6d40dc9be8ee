"""Sends every request when it is due, however long those before it take, and notes how late everything was.

A latency counts from the moment at which its request was due, so that a gateway that stands still for a second is
charged for all that would have come in that second.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from loadtest.accounting import Accounting, Answer
from loadtest.answers import Refusal, Result, Results
from loadtest.errors import CannotRun
from loadtest.receiver import EventSeen
from loadtest.recording import Latencies, Recorder
from loadtest.supply import CATEGORIES, Kind, Supply

MOST_OPEN: Final = 5_000  # requests without an answer; what would be more is counted as unsent
AT_ONCE: Final = 20  # requests in a row before the loop gets a turn, when the load is behind
LEAD_SECONDS: Final = 0.2  # before the first one is due

Post = Callable[[bytes], Awaitable[tuple[int, bytes]]]

_read_result = msgspec.json.Decoder(Result).decode
_read_results = msgspec.json.Decoder(Results).decode


class Stages:
    """The latencies of a load, in seconds from when a message was due."""

    def __init__(self) -> None:
        self.late = Recorder()  # sent by the load: what it is itself behind
        self.accept = Recorder()  # a request answered with 202
        self.submit = Recorder()  # the first part of a message taken by the SMSC
        self.final = Recorder()  # the application told that a message is final
        self.final_by_category = {category: Recorder() for category in dict.fromkeys(CATEGORIES.values())}

    def record_final(self, seconds: float, kind: int) -> None:
        """The end of a message of this Kind is known."""
        self.final.record(seconds)
        self.final_by_category[CATEGORIES[Kind(kind)]].record(seconds)

    def latencies(self) -> dict[str, Latencies]:
        """Return all of them, by name."""
        return {
            "late": self.late.latencies(),
            "accept": self.accept.latencies(),
            "submit": self.submit.latencies(),
            "final": self.final.latencies(),
            **{f"{category}_final": recorder.latencies() for category, recorder in self.final_by_category.items()},
        }


class OpenLoop:
    """One load. `posts` hand in a request, one for each account, in turns."""

    def __init__(self, supply: Supply, accounting: Accounting, posts: Sequence[Post], *, batch: int) -> None:
        self._supply = supply
        self._accounting = accounting
        self._posts = itertools.cycle(posts)
        self._batch = batch
        self._open: set[asyncio.Task[None]] = set()
        self.stages = Stages()
        self.requests = 0
        self.errors: dict[str, int] = {}  # by status, or how a request failed
        self.started_at = 0.0  # of the clock below
        self.last_final_at = 0.0
        self.clock: Callable[[], float] = time.perf_counter

    @property
    def open_requests(self) -> int:
        """Requests without an answer."""
        return len(self._open)

    async def send(self, arrivals: Sequence[float]) -> None:
        """Send a request at each moment, in seconds from the start, and wait for the last answer."""
        self.started_at = self.clock() + LEAD_SECONDS
        try:
            for n, arrival in enumerate(arrivals):
                due = self.started_at + arrival
                request = self._supply.make_request(self._batch)
                places = self._accounting.take_request(request, due)
                ahead = due - self.clock()
                if ahead > 0 or n % AT_ONCE == 0:
                    await asyncio.sleep(max(0.0, ahead))
                self.requests += 1
                if len(self._open) >= MOST_OPEN:
                    self._accounting.take_answer(places, Answer.UNSENT)
                    continue
                task = asyncio.create_task(self._send_one(next(self._posts), request.body, places, due))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            while self._open:
                await asyncio.wait(self._open)
        finally:
            for task in self._open:
                task.cancel()

    def take_events(self, events: Sequence[EventSeen]) -> None:
        """The application was told."""
        now = self.clock()
        accounting, stages = self._accounting, self.stages
        for event in events:
            place = accounting.take_event(event.client_ref, event.type)
            if place is not None:
                seconds = now - accounting.due[place]
                stages.record_final(seconds, accounting.kinds[place])
                self.last_final_at = now

    async def _send_one(self, post: Post, body: bytes, places: range, due: float) -> None:
        self.stages.late.record(self.clock() - due)
        try:
            status, answer = await post(body)
        except CannotRun as error:
            self._fail(places, Answer.FAILED, type(error.__cause__ or error).__name__)
            return
        if status in {429, 503}:
            self._fail(places, Answer.TURNED_AWAY, str(status))
        elif status in {200, 202, 422}:
            self.stages.accept.record(self.clock() - due)
            self._take_answer(places, status, answer)
        else:
            self._fail(places, Answer.FAILED, str(status))

    def _take_answer(self, places: range, status: int, answer: bytes) -> None:
        try:
            if status == 422:
                results = [Result("refused", error=msgspec.json.decode(answer, type=Refusal))]
            elif len(places) == 1:
                results = [_read_result(answer)]
            elif b'"refused":0' in answer:  # spares reading what is the same for all
                self._accounting.take_answer(places, Answer.ACCEPTED)
                return
            else:
                results = _read_results(answer).results
        except msgspec.MsgspecError:
            self._fail(places, Answer.FAILED, "an answer that cannot be read")
            return
        self._accounting.take_results(places, results)
        for result in results:
            if result.error is not None:
                self._count(result.error.code)

    def _fail(self, places: range, answer: Answer, why: str) -> None:
        self._accounting.take_answer(places, answer)
        self._count(why)

    def _count(self, why: str) -> None:
        self.errors[why] = self.errors.get(why, 0) + 1
