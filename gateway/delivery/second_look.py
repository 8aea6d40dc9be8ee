"""A second look at a message whose turn has come, for what may have changed since it was accepted."""

from collections.abc import Callable
from typing import assert_never

from gateway.delivery import outcomes
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.lanes import Lane
from gateway.delivery.shared import Shared
from gateway.delivery.stops import Owner
from gateway.delivery.waiting import Waiting
from gateway.message import FINAL, MessageId, Milliseconds, Record, Status
from gateway.rulings import NotHere, Stop, Wait


class SecondLook:
    """Validity, a stop of its batch, and the rules: for the messages of one carrier, the owner of their lanes."""

    def __init__(
        self,
        carrier: str,
        shared: Shared,
        waiting: Waiting,
        elsewhere: Elsewhere,
        *,
        keep: Callable[[Record], object],
        owner: Owner,
    ) -> None:
        self._carrier = carrier
        self._shared = shared
        self._waiting = waiting
        self._elsewhere = elsewhere
        self._keep = keep
        self._owner = owner
        self._stranded: set[MessageId] = set()  # past their validity, and in doubt: they may not expire yet

    def may_go(self, record: Record, at: Milliseconds) -> bool:
        """Whether it has not ended in the meantime; that of its validity is seen here."""
        if record.state.status in FINAL or record.first_waiting() is None:
            return False
        if record.message.expires_at > at:
            return True
        if outcomes.end(record, Status.EXPIRED, at=at, reason="validity ended"):
            self._keep(record)
        else:
            self._stranded.add(record.id)
        return False

    def take_stranded(self) -> set[MessageId]:
        """Those that could not expire when their turn came: they are to be looked at again."""
        stranded, self._stranded = self._stranded, set()
        return stranded

    def is_stopped(self, record: Record, lane: Lane, *, came_back: bool) -> bool:
        """Whether its batch is stopped: then it waits, on disk if it is there as it is here, for that to end.

        `came_back`: it was put into its lane for another time. What has gone in part goes on.
        """
        stops = self._shared.stops
        if not stops or record.status is not Status.QUEUED or not stops.holds(record.message):
            return False
        if came_back:
            stops.keep(self._owner, record)
        else:
            self._shared.live.drop(record)
            lane.leave_on_disk()
            stops.leave(self._owner, lane, record.message)
        return True

    def rules_allow(self, record: Record, at: Milliseconds) -> bool:
        """Ask the rules again, unless some part has left: the rest of a message follows its beginning."""
        if record.state.status is not Status.QUEUED:
            return True
        ruling = self._shared.gate.hand_over(record.message, self._carrier, now=at)
        match ruling:
            case None:
                return True
            case Wait():
                self._waiting.put_off(record, ruling, at=at)
            case NotHere() if self._elsewhere.send(record, Why.BLACKLISTED):
                pass
            case NotHere() | Stop():
                outcomes.end(record, Status.FAILED, at=at, reason=ruling.reason)
                self._keep(record)
            case _:
                assert_never(ruling)
        return False
