"""Another carrier for a message that the one it waits for does not take, or cannot send.

The choice is made again each time, by the ranking of that moment: what can be sent to now before what is down. A
message that was refused goes to each of its candidates once at most, so it cannot wander.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol

from gateway.delivery import outcomes
from gateway.delivery.shared import Shared
from gateway.message import Record, lane_name
from gateway.store.api import Commit


class Why(StrEnum):
    """Why a message changes its carrier: a label of the metrics, and what its timeline says."""

    REFUSED = "refused"  # a command_status said so
    DOWN = "down"
    PAUSED = "paused"
    BLACKLISTED = "blacklisted"  # the carrier does not want the number
    RECEIPT = "receipt"  # the carrier took it, and could not deliver it
    OVERDUE = "overdue"  # the carrier took it, and never said what became of it


class Taker(Protocol):
    """What is asked of the carrier that a message is to go by."""

    @property
    def name(self) -> str: ...

    @property
    def is_usable(self) -> bool: ...

    def keep(self, record: Record, *, changed: bool = True) -> Commit: ...

    def send_again(self, record: Record) -> None: ...


class Elsewhere:
    """Moves messages between carriers. `carriers` is filled when they are all there."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.carriers: Mapping[str, Taker] = {}

    def best(self, record: Record) -> str | None:
        """The carrier that a message should wait for now; None when no configured one may take it."""
        return self._first(record, besides=())

    def next_for(self, record: Record, *, may_wait: bool) -> str | None:
        """The best carrier that a message has not been to. `may_wait`: one that is down or paused will do."""
        return self._first(record, besides=_been_to(record), may_wait=may_wait)

    def send(self, record: Record, why: Why, *, may_wait: bool = True) -> bool:
        """Queue a message, all of whose parts wait, for the next carrier that it has not been to.

        The record is in memory, and in no lane. False, and nothing has changed, when it must not change its carrier or
        there is no other: what becomes of it then is for the caller to say.
        """
        if record.is_final or not outcomes.may_change_carrier(record):
            return False
        name = self.next_for(record, may_wait=may_wait)
        if name is None:
            return False
        before = record.state.parts[0].attempts
        self.move(record, name, why, before=before[-1].carrier if before else "")
        return True

    def usable_for(self, record: Record) -> list[str]:
        """The carriers that could send a message at once and that it has not been to, best first."""
        if record.is_final or not outcomes.may_change_carrier(record):
            return []
        been_to = _been_to(record)
        return [name for name in self._ranked(record, besides=been_to) if self.carriers[name].is_usable]

    def move(self, record: Record, name: str, why: Why, *, before: str) -> None:
        """Let a message that waits, and is in memory and in no lane, go by another carrier: it is written so."""
        taker = self.carriers[name]
        record.lane = lane_name(name, record.message)
        outcomes.changed_carrier(record, f"goes by {name}: {why}", at=self._shared.clock())
        self._shared.metrics.messages_moved.add((before, why))
        taker.keep(record)
        taker.send_again(record)

    def _ranked(self, record: Record, *, besides: Collection[str]) -> list[str]:
        return [name for name in self._shared.rank(record.message) if name in self.carriers and name not in besides]

    def _first(self, record: Record, *, besides: Collection[str], may_wait: bool = True) -> str | None:
        ranked = self._ranked(record, besides=besides)
        usable = next((name for name in ranked if self.carriers[name].is_usable), None)
        return usable or (ranked[0] if ranked and may_wait else None)


def _been_to(record: Record) -> set[str]:
    return {attempt.carrier for part in record.state.parts for attempt in part.attempts}
