"""What is done when a receipt says that a message was not delivered, beside noting it.

The table of the carrier's codes says what: the message goes once more, by another carrier or by the same one later, if
its validity allows; and what is learned of the number or the carrier is passed on for the messages that come after.
"""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from gateway.delivery import outcomes
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.receipt_codes import CodeAction, ReceiptCode, ReceiptCodes
from gateway.delivery.shared import Shared
from gateway.message import Milliseconds, Record
from gateway.rulings import Wait
from gateway.smpp import MessageState
from gateway.store.api import Commit

OTHER: Final = "other"  # the label of codes that are in no table
_QUIET_MILLISECONDS: Final = 60_000  # between two lines in the log about the same

# As the table writes them.
_STATE_NAMES: Final[Mapping[MessageState, str]] = {
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.REJECTED: "REJECTD",
    MessageState.UNKNOWN: "UNKNOWN",
}

log = structlog.get_logger(__name__)


PutOff = Callable[[Record, Wait, Milliseconds], Commit]


class Reactions:
    """Acts on receipts of messages that were not delivered."""

    def __init__(
        self, shared: Shared, elsewhere: Elsewhere, codes: Mapping[str, ReceiptCodes], put_off: PutOff
    ) -> None:
        """`codes`: the table of each carrier. `put_off` lets a queued record wait on disk for its time."""
        self._shared = shared
        self._elsewhere = elsewhere
        self._codes = codes
        self._put_off = put_off
        self._told: dict[tuple[str, str], Milliseconds] = {}

    def react(
        self, carrier: str, record: Record, n: int, k: int, state: MessageState, error: str, *, at: Milliseconds
    ) -> bool:
        """Act on one receipt that is not DELIVRD. True when the message goes on: the receipt does not end it."""
        code = self._codes[carrier].find(error, _STATE_NAMES.get(state, ""))
        self._shared.metrics.receipt_errors.add((carrier, OTHER if code is None else code.code))
        if code is None:
            return False
        self._learn(carrier, record, code, at)
        if record.message.expires_at <= at:
            return False
        match code.action:
            case CodeAction.ELSEWHERE:
                return self._send_elsewhere(record, n, k, error or code.code, at)
            case CodeAction.RETRY:
                return self._retry(record, n, k, code, error, at)
            case _:
                return False

    def overdue(self, record: Record, *, at: Milliseconds) -> bool:
        """Its receipt did not come in time. True when its category has it sent by another carrier, and it was."""
        if not self._shared.categories[record.message.category].resend_overdue or record.message.expires_at <= at:
            return False
        [part, *others] = record.state.parts
        if others or not outcomes.is_submitted(record):
            return False
        return self._send_elsewhere(record, 0, len(part.attempts) - 1, "no receipt in time", at, why=Why.OVERDUE)

    def _learn(self, carrier: str, record: Record, code: ReceiptCode, at: Milliseconds) -> None:
        lessons, number = self._shared.lessons, record.message.to
        match code.action:
            case CodeAction.ELSEWHERE if code.network:
                lessons.ported(number, code.network)
            case CodeAction.SUPPRESS:
                lessons.suppress(carrier, number, code.code)
            case CodeAction.REST:
                lessons.rest(carrier, number, code.seconds)
            case CodeAction.ALERT | CodeAction.CONTENT:
                self._tell(carrier, record, code, at)
            case _:
                pass

    def _tell(self, carrier: str, record: Record, code: ReceiptCode, at: Milliseconds) -> None:
        """A line for the operators, and no more than one a minute for the same."""
        told = self._told.get((carrier, code.code), 0)
        if abs(at - told) < _QUIET_MILLISECONDS:
            return
        self._told[carrier, code.code] = at
        log.warning(
            "receipts of a carrier call for attention",
            carrier=carrier,
            code=code.code,
            meaning=code.meaning,
            look_at="text" if code.action is CodeAction.CONTENT else "carrier",
            message=str(record.id),
            signature=record.message.signature,
        )

    def _send_elsewhere(
        self, record: Record, n: int, k: int, error: str, at: Milliseconds, *, why: Why = Why.RECEIPT
    ) -> bool:
        """Once: a message that a second carrier took, and did not deliver, has failed."""
        if outcomes.times_taken(record, n) > 1 or self._elsewhere.next_for(record, may_wait=True) is None:
            return False
        if not outcomes.send_again(record, n, k, error, at=at):
            return False
        sent = self._elsewhere.send(record, why)
        assert sent, "there was a next carrier a moment ago"
        return True

    def _retry(self, record: Record, n: int, k: int, code: ReceiptCode, error: str, at: Milliseconds) -> bool:
        """The same carrier, later: twice as long each time, as often as the category says, while it is valid."""
        taken = outcomes.times_taken(record, n)
        due = at + code.seconds * 1_000 * 2 ** (taken - 1)
        allowed = self._shared.categories[record.message.category].retry_undelivered
        if taken > allowed or due >= record.message.expires_at:
            return False
        if not outcomes.send_again(record, n, k, error or code.code, at=at):
            return False
        self._put_off(record, Wait(due, f"tried again after {code.code}"), at)
        return True
