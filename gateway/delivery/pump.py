"""The pump of one carrier: it lets go whose turn it is, as long as there is a free slot, a token and a record.

It runs whenever something may have changed: records came, a slot was released, a bind came up, tokens grew. Nothing in
it waits.
"""

import asyncio
from collections.abc import Callable, Sized
from typing import Final, Protocol

from gateway.delivery.binds import Bind
from gateway.delivery.lanes import Lane
from gateway.delivery.levels import LevelQueue
from gateway.delivery.pace import Pace
from gateway.delivery.pool import Pool
from gateway.delivery.queues import Queues
from gateway.delivery.turns import Turns
from gateway.delivery.underway import Handover, UnderWay
from gateway.message import Milliseconds, Record

# One-time passwords that go before one of the others goes, while some of both wait.
OTP_RUN: Final = 20


class Hands(Protocol):
    """The carrier, which does what the pump finds that it is time for."""

    def may_go(self, record: Record, at: Milliseconds) -> bool:
        """Whether a message that is under way may go on."""

    def next_handover(self, queue: LevelQueue, lane: Lane, at: Milliseconds) -> Handover | None:
        """Take the next message of a lane; None when it does not go."""

    def hand_over(
        self, bind: Bind, handover: Handover, track: dict[str, Handover], now: float, at: Milliseconds
    ) -> None:
        """Hand over the next waiting part of a message."""

    def read_more(self) -> None:
        """Read from disk what the lanes have room for."""


class Pump:
    """Whose turn it is, and when. `refused`: what the carrier refused for now; `clock`: the wall's, for validity.

    `most_refused`: how many of those there may be before nothing else goes. More of them would only fill the memory.
    """

    def __init__(
        self,
        *,
        queues: Queues,
        pool: Pool,
        pace: Pace,
        under_way: UnderWay,
        refused: Sized,
        most_refused: int,
        hands: Hands,
        clock: Callable[[], Milliseconds],
    ) -> None:
        self._queues = queues
        self._pool = pool
        self._pace = pace
        self._under_way = under_way
        self._refused = refused
        self._most_refused = most_refused
        self._hands = hands
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._turns = Turns(OTP_RUN)
        self._is_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.held_until = 0.0
        self.is_paused = False  # only what has begun is finished
        self.is_stopped = False

    def wake(self) -> None:
        """Something may be possible that was not: look, once this iteration of the loop is through."""
        if not self._is_scheduled and not self.is_stopped:
            self._is_scheduled = True
            self._loop.call_soon(self._run)

    def wake_in(self, seconds: float) -> None:
        """The same, so many seconds from now."""
        self._run_at(self._loop.time() + seconds)

    def hold(self, seconds: float) -> None:
        """Hand over nothing for so long."""
        self.held_until = max(self.held_until, self._loop.time() + seconds)

    def stop(self) -> None:
        """Hand over nothing more."""
        self.is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _run(self) -> None:
        self._is_scheduled = False
        if self.is_stopped:
            return
        now = self._loop.time()
        if now < self.held_until:
            self._run_at(self.held_until)
            return
        at = self._clock()
        while self._step(now, at):
            pass
        blocked_until = self._queues.blocked_until
        if blocked_until is not None:
            self._run_at(blocked_until)
        self._hands.read_more()

    def _run_at(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._run_on_time)

    def _run_on_time(self) -> None:
        self._timer = None
        self._run()

    def _step(self, now: float, at: Milliseconds) -> bool:
        """Hand over one part, or find that the next message does not go; False when nothing more can be done now.

        What is kept for one-time passwords is theirs alone; but when so many of them wait that they take everything,
        one of the others goes for every twenty.
        """
        queues, under_way, pool = self._queues, self._under_way, self._pool
        refused, most, goes_on = len(self._refused), self._most_refused, not self.is_paused
        otp = queues.otp.next_lane(now) if goes_on and refused < 2 * most else None
        others = queues.next_of_others(now) if goes_on and refused < most else None
        otp_waits = otp is not None or pool.goes_on(under_way.otp, takes_kept=True)
        others_wait = others is not None or pool.goes_on(under_way.others, takes_kept=otp_waits)
        turn = self._turns.next((otp_waits, others_wait))
        if turn is None:
            return False
        delay = self._pace.ready_in(now=now, takes_kept=otp_waits)
        if delay:
            self._run_at(now + delay)
            return False
        track = under_way.others if turn else under_way.otp
        bind = pool.next_bind(track, takes_kept=otp_waits)
        if bind is None:
            return False
        handover = track.get(bind.name) if track else None
        if handover is not None and not self._hands.may_go(handover.record, at):
            del track[bind.name]
            return True
        if handover is None:
            if turn and others is not None:
                handover = self._hands.next_handover(*others, at)
            elif otp is not None and not turn:
                handover = self._hands.next_handover(queues.otp, otp, at)
            else:
                return False  # it goes on by another bind, which has no room
            if handover is None:
                return True
            if turn and others is not None:
                queues.taken(others[0])
            if handover.wording.parts > 1:
                track[bind.name] = handover
        self._turns.taken(turn)
        self._hands.hand_over(bind, handover, track, now, at)
        return True
