"""What the rules say of a message that was accepted before: it may go (None), it waits, or it ends here.

Delivery asks, and knows nothing of the rules; who builds the gateway hands it a `Gate`.
"""

from typing import Protocol

import msgspec

from gateway.message import ChargeTime, Message, Milliseconds, Record


class Wait(msgspec.Struct, frozen=True, gc=False):
    """It is looked at again then. `reason`: why, for its timeline."""

    until: Milliseconds
    reason: str = ""


class Stop(msgspec.Struct, frozen=True, gc=False):
    """It has failed, with one of the codes of a message."""

    reason: str


class Charged(msgspec.Struct, frozen=True, gc=False):
    """It may go, and was charged for that just now."""

    time: ChargeTime


class NotHere(msgspec.Struct, frozen=True, gc=False):
    """Another carrier may have it, this one may not. `reason`: the code with which it fails where there is no other."""

    reason: str


Release = Wait | Stop | Charged | None
Ruling = Wait | Stop | NotHere | None


class Reviewed(msgspec.Struct, frozen=True):
    """What a reviewer's word found and did: the record as it is then, None when there is none."""

    record: Record | None
    done: bool  # False: it was not held


class Gate(Protocol):
    """Asked before a message that waited goes on. `now`: the wall clock."""

    def release(self, message: Message, *, charged: bool, now: Milliseconds) -> Release:
        """Whether it may be queued now. If so it is charged in this very call, unless it is `charged` already."""

    def hand_over(self, message: Message, carrier: str, *, now: Milliseconds) -> Ruling:
        """Whether it may still go, by this carrier, now that its turn has come. Asked of every message: quick."""

    def give_back(self, message: Message, *, charged_at: Milliseconds, now: Milliseconds) -> None:
        """Nothing of it left, and nothing will: undo the charge that was made at that time."""
