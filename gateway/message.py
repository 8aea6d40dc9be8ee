"""The domain's values: a message, its parts, every attempt to hand a part over, and the states they pass through.

`Message` is what was accepted and never changes. `Record` is a message with everything that has happened to it since;
it is the unit that the store keeps and delivery works on. Times are integer milliseconds since 1970-01-01 UTC.

All structs are stored as JSON arrays, so fields are only ever added at the end, with a default. None of them can be
part of a reference cycle, so the garbage collector need not look at them (`gc=False`), however many are alive.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

import msgspec

MessageId = NewType("MessageId", int)
Milliseconds = int

# 2026-01-01T00:00:00Z. Ids count milliseconds from here: 41 bits last until 2095.
ID_EPOCH_MILLISECONDS: Final = 1_767_225_600_000
_COUNTER_BITS: Final = 12
_NODE_BITS: Final = 10
_CLOCK_SHIFT: Final = _COUNTER_BITS + _NODE_BITS


class Category(StrEnum):
    """What a message is for. It decides the rules that apply and what is done in doubt."""

    OTP = "otp"
    NOTIFICATION = "notification"
    MARKETING = "marketing"


class Priority(StrEnum):
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Level(StrEnum):
    """How soon a message goes of those that wait for one carrier: its priority, and one-time passwords before all."""

    OTP = "otp"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def priority(self) -> Priority:
        """What metrics count it under."""
        return Priority.HIGH if self is Level.OTP else Priority(self.value)


class Status(StrEnum):
    """The states of a message. Which may follow which is the table in `gateway.store.api`."""

    HELD = "held"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    SUBMITTED = "submitted"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


FINAL: Final = frozenset({Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.UNKNOWN})


class PartStatus(StrEnum):
    """The states of one part of a message."""

    WAITING = "waiting"
    SENDING = "sending"  # an intent is recorded or bytes were handed to a bind; no answer yet
    IN_DOUBT = "in_doubt"  # bytes left, or may have, and the answer never came
    SUBMITTED = "submitted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """A message as it was accepted: everything needed to send it, nothing about how that went."""

    id: MessageId
    account: str
    to: str  # E.164, "+8613800138000"
    text: str  # as it is sent, signature included
    category: Category = Category.NOTIFICATION
    priority: Priority = Priority.NORMAL
    urgent: bool = False
    signature: str = ""  # without brackets
    sender: str = ""  # the source number or extension asked for
    client_ref: str = ""
    batch: str = ""
    network: str = "unknown"
    parts: int = 1
    accepted_at: Milliseconds
    send_at: Milliseconds | None = None
    expires_at: Milliseconds
    carriers: tuple[str, ...] = ()  # the candidates at acceptance, best first
    clock_lead: Milliseconds = 0  # how far the gateway's clock was ahead of the wall clock: see gateway.clock
    wall_lead: int = 0  # how many seconds the latest that the wall clock had been was ahead of it


class ChargeTime(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When a message was charged, by the two times that caps go by, neither of which goes back."""

    at: Milliseconds  # by the gateway's clock
    wall: int  # the latest that the wall clock had been, in seconds since 1970


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One submit_sm of one part: where it went and what became of it."""

    carrier: str
    bind: str
    at: Milliseconds
    carrier_message_id: str = ""
    command_status: int | None = None  # None: no answer yet, or none ever came
    error: str = ""  # "timeout", "connection_lost", ... or the err of a receipt
    reference: int = 0  # the user_message_reference it carried (TLV 0x0204), 0 when none


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One part of a message and all its attempts, oldest first."""

    status: PartStatus = PartStatus.WAITING
    attempts: tuple[Attempt, ...] = ()


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a message's timeline."""

    at: Milliseconds
    status: Status
    reason: str = ""


class State(msgspec.Struct, array_like=True, gc=False):
    """What has happened to a message so far: the part of a record that changes."""

    status: Status
    parts: list[Part]
    timeline: list[Entry]
    charged: ChargeTime | None = None  # where it was charged after its acceptance: its message tells else


class Record(msgspec.Struct, gc=False):
    """A message with its state, and the lane it waits in (or left by) when it is not final.

    An entity, not a value: delivery changes `state` in place and hands the record to the store, which writes what it
    finds when it cuts its next batch.
    """

    message: Message
    state: State
    lane: str = ""
    due: Milliseconds = 0  # when it is looked at again while it is scheduled; 0: at its `send_at`
    told: int = 0  # so many entries of the timeline were told to the account, where they are to be
    counted: Status | None = None  # the status that the store's counts have it under; None: it is new

    @property
    def id(self) -> MessageId:
        return self.message.id

    @property
    def status(self) -> Status:
        return self.state.status

    @property
    def is_final(self) -> bool:
        return self.state.status in FINAL

    @property
    def due_at(self) -> Milliseconds:
        """When it is looked at again while it is scheduled."""
        return self.due or self.message.send_at or 0

    @property
    def charged_at(self) -> Milliseconds | None:
        """When its caps were charged: when it was first queued. None: not yet."""
        for entry in self.state.timeline:
            if entry.status is Status.QUEUED:
                return entry.at
        return None

    @property
    def charge_time(self) -> ChargeTime | None:
        """When its caps were charged, by the clocks of caps. None: not yet."""
        if self.state.charged is not None:
            return self.state.charged
        at, message = self.charged_at, self.message
        return None if at is None else ChargeTime(at + message.clock_lead, at // 1_000 + message.wall_lead)

    def first_waiting(self, *, after: int = -1) -> int | None:
        """The first part behind `after`, counted from 0, that waits to be handed over; None when none does."""
        parts = self.state.parts
        if len(parts) == 1:  # as most have
            return 0 if after < 0 and parts[0].status is PartStatus.WAITING else None
        for n, part in enumerate(parts):
            if part.status is PartStatus.WAITING and n > after:
                return n
        return None

    def set_part(self, n: int, part: Part) -> None:
        """Replace part `n`, counted from 0."""
        self.state.parts[n] = part


def new_record(message: Message, status: Status, *, lane: str, reason: str = "") -> Record:
    """A record of a message that has just been accepted. `reason`: why it is in this state."""
    waiting = [Part()] * message.parts
    return Record(message, State(status, waiting, [Entry(message.accepted_at, status, reason)]), lane)


_STATUS_OF_ONE: Final = {
    PartStatus.WAITING: Status.QUEUED,
    PartStatus.SENDING: Status.SENDING,
    PartStatus.IN_DOUBT: Status.IN_DOUBT,
    PartStatus.SUBMITTED: Status.SUBMITTED,
    PartStatus.DELIVERED: Status.DELIVERED,
    PartStatus.FAILED: Status.FAILED,
    PartStatus.UNKNOWN: Status.UNKNOWN,
}


def status_of_parts(parts: Sequence[Part]) -> Status:
    """What a message's parts say about it. The order of the questions is the rule."""
    if len(parts) == 1:
        return _STATUS_OF_ONE[parts[0].status]
    seen = {part.status for part in parts}
    if PartStatus.FAILED in seen:
        return Status.FAILED
    if PartStatus.IN_DOUBT in seen:
        return Status.IN_DOUBT
    if seen == {PartStatus.WAITING}:
        return Status.QUEUED
    if PartStatus.WAITING in seen or PartStatus.SENDING in seen:
        return Status.SENDING
    if PartStatus.SUBMITTED in seen:
        return Status.SUBMITTED
    if PartStatus.UNKNOWN in seen:
        return Status.UNKNOWN
    return Status.DELIVERED


def lane_name(carrier: str, message: Message) -> str:
    """The queue that a message waits in: one for each carrier, level and account."""
    return _lane_name(carrier, message.category, message.priority, message.account)


@lru_cache(maxsize=65_536)  # carriers and accounts are configured, and few
def _lane_name(carrier: str, category: Category, priority: Priority, account: str) -> str:
    is_otp = category is Category.OTP and priority is Priority.HIGH
    return f"{carrier}/{Level.OTP if is_otp else Level(priority.value)}/{account}"


def carrier_of_lane(lane: str) -> str:
    """The first part of `carrier/level/account`: names have no stroke."""
    return lane.partition("/")[0]


def level_of_lane(lane: str) -> Level:
    """The second part of `carrier/level/account`."""
    return Level(lane.split("/", 2)[1])


def first_id_at(milliseconds: Milliseconds) -> MessageId:
    """The smallest id that a message accepted at this time can have: the bound for searches by time."""
    return MessageId(max(0, milliseconds - ID_EPOCH_MILLISECONDS) << _CLOCK_SHIFT)


def time_of_id(message_id: MessageId) -> Milliseconds:
    """The time an id was made for, in milliseconds since 1970."""
    return (message_id >> _CLOCK_SHIFT) + ID_EPOCH_MILLISECONDS


class IdSource:
    """Hands out ids that only ever grow, whatever the clock does: max(clock, last + 1).

    64 bits: 41 of milliseconds since 2026, 10 of node, 12 of counter.
    """

    def __init__(self, *, node: int, last: MessageId) -> None:
        if not 0 <= node < 1 << _NODE_BITS:
            raise ValueError(f"node = {node}: must be 0 to {(1 << _NODE_BITS) - 1}")
        self._node = node << _COUNTER_BITS
        self._last = last

    @property
    def last(self) -> MessageId:
        """The id handed out last."""
        return self._last

    def next(self, now_milliseconds: Milliseconds) -> MessageId:
        """The next id at this wall-clock time."""
        candidate = ((now_milliseconds - ID_EPOCH_MILLISECONDS) << _CLOCK_SHIFT) | self._node
        if candidate <= self._last:
            candidate = self._after_last()
        self._last = MessageId(candidate)
        return self._last

    def _after_last(self) -> int:
        """Count on within the last millisecond; when its counter is full, or it was another node's, borrow the next."""
        following = self._last + 1
        same_node = (following ^ self._node) & (((1 << _NODE_BITS) - 1) << _COUNTER_BITS) == 0
        if same_node:
            return following
        return (((self._last >> _CLOCK_SHIFT) + 1) << _CLOCK_SHIFT) | self._node
