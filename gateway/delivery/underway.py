"""Messages of several parts that binds are in the middle of."""

from collections.abc import Iterator

import msgspec

from gateway.delivery.wording import Wording
from gateway.message import Record


class Handover(msgspec.Struct):
    """A message that is being handed over, part by part, through one bind."""

    record: Record
    wording: Wording


class UnderWay:
    """At most one of the others a bind, and beside it one with a one-time password, which does not wait for it."""

    def __init__(self) -> None:
        self.otp: dict[str, Handover] = {}  # by the name of the bind
        self.others: dict[str, Handover] = {}

    def __iter__(self) -> Iterator[Handover]:
        yield from self.otp.values()
        yield from self.others.values()

    def has(self, record: Record) -> bool:
        return any(handover.record is record for handover in self)

    def drop(self, record: Record) -> None:
        """No more of its parts are to be handed over for now."""
        for track in (self.otp, self.others):
            for bind in [bind for bind, handover in track.items() if handover.record is record]:
                del track[bind]

    def leave(self, bind: str) -> list[Record]:
        """A bind is lost: what it was in the middle of."""
        left = [track.pop(bind, None) for track in (self.otp, self.others)]
        return [handover.record for handover in left if handover is not None]
