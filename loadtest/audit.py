"""Every message accounted for: what was planned, against what the gateway lists and what the simulator took."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from loadtest.answers import FINAL, MessageSeen
from loadtest.control import Submitted
from loadtest.plan import PlannedMessage

_NATIONAL_DIGITS = 11  # of a mainland number; what is before them is its country code


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is not as it must be, counted. All zero: every accepted message is final, each part left exactly once."""

    lost: int  # accepted, and not in the gateway's list
    unfinished: int  # listed, and not in a final state
    undelivered: int  # final, and not delivered, though every number of a plan is delivered
    strangers: int  # listed, and not in the plan, or listed twice
    missing_parts: int  # of accepted messages, and never seen by the simulator
    repeated_parts: int  # submits of a part after its first
    disordered_parts: int  # seen after a later part of the same message


class Audit:
    """Takes in what both sides say, in any order, and finds what does not fit."""

    def __init__(self, messages: Sequence[PlannedMessage]) -> None:
        self._planned = {message.client_ref: message for message in messages}
        self._by_number = {message.to: message for message in messages}
        self._statuses: dict[str, str] = {}
        self._strangers = 0
        self._submits: Counter[tuple[str, int]] = Counter()
        self._latest_part: dict[str, int] = {}
        self._disordered = 0

    @property
    def statuses(self) -> Counter[str]:
        """How many of the plan's messages the gateway lists in each status."""
        return Counter(self._statuses.values())

    def take_message(self, message: MessageSeen) -> None:
        """A message as the gateway lists it."""
        ref = message.client_ref or ""
        planned = self._planned.get(ref)
        if planned is None or ref in self._statuses or not message.to.endswith(planned.to):
            self._strangers += 1
        else:
            self._statuses[ref] = message.status

    def take_submit(self, submit: Submitted) -> None:
        """A submit_sm as the simulator took it off the wire, in the order of its journal."""
        number = submit.phone[-_NATIONAL_DIGITS:]
        part = 1 if submit.part is None else submit.part.number
        self._submits[number, part] += 1
        if part < self._latest_part.get(number, 0):
            self._disordered += 1
        else:
            self._latest_part[number] = part

    def findings(self, *, accepted: int) -> Findings:
        """Return what does not fit; `accepted` is how many messages the answers said were."""
        statuses = self.statuses
        final = sum(count for status, count in statuses.items() if status in FINAL)
        expected = [
            (message.to, part)
            for ref, message in self._planned.items()
            if ref in self._statuses
            for part in range(1, message.parts + 1)
        ]
        seen = sum(part in self._submits for part in expected)
        return Findings(
            lost=max(0, accepted - len(self._statuses)),
            unfinished=len(self._statuses) - final,
            undelivered=final - statuses["delivered"],
            strangers=self._strangers,
            missing_parts=len(expected) - seen,
            # What is not expected at all is one too many as well: a third part of two, a number that nobody gave.
            repeated_parts=self._submits.total() - seen,
            disordered_parts=self._disordered,
        )
