"""Held messages and what reviewers say of them: who, when and why is in the timeline, in the commit that moves them.

A message was reviewed once: the same word again finds it done, the other word finds it no more held.
"""

from enum import StrEnum
from typing import Final, Protocol

import msgspec

from gateway.audit import Audit
from gateway.message import MessageId, Record, Status
from gateway.rulings import Reviewed
from gateway.store.api import Store

LONGEST_REASON: Final = 200  # characters of a reviewer's words


class Word(StrEnum):
    """What a reviewer says. The values begin the line that says so in the timeline."""

    APPROVED = "approved"
    REJECTED = "rejected"


class NotHeldError(Exception):
    """The message waits for no reviewer. `status`: what it is instead."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"the message is {status}")
        self.status = status


class Page(msgspec.Struct, frozen=True):
    """Held messages, oldest first, and where to go on; None at the end."""

    records: list[Record]
    after: MessageId | None


class Desk(Protocol):
    """Delivery, as far as it moves held messages. Its calls return when that is on disk, and raise StoreError."""

    async def approve(self, message_id: MessageId, *, note: str) -> Reviewed:
        """Let a held message go on, once the rules agree. `note` becomes a line of its timeline."""

    async def reject(self, message_id: MessageId, *, note: str) -> Reviewed:
        """Cancel a held message."""


class Reviews:
    """What the review calls of the API do."""

    def __init__(self, desk: Desk, store: Store, audit: Audit) -> None:
        self._desk = desk
        self._store = store
        self._audit = audit

    async def held(self, *, after: MessageId, limit: int) -> Page:
        """A page of the messages that wait for a reviewer. Raises StoreError."""
        records = await self._store.held(after=after, limit=limit)
        return Page(records, records[-1].id if len(records) == limit else None)

    async def say(self, word: Word, message_id: MessageId, *, who: str, why: str) -> Record | None:
        """Approve or reject; the message as it is then, None when there is none. Raises NotHeldError, StoreError.

        `who`: the account whose key it is; `why`: in the reviewer's words, may be empty.
        """
        note = f"{word} by {who}" + (f": {why}" if why else "")
        match word:
            case Word.APPROVED:
                reviewed = await self._desk.approve(message_id, note=note)
            case Word.REJECTED:
                reviewed = await self._desk.reject(message_id, note=note)
        record = reviewed.record
        if record is None:
            return None
        if reviewed.done:
            await self._audit.note(who, f"message.{word}", subject=str(message_id), why=why)
        elif word_on(record) is not word:
            raise NotHeldError(record.status)
        return record


def word_on(record: Record) -> Word | None:
    """What a reviewer said of a message; None when nobody had to, or did."""
    for entry in record.state.timeline:
        if entry.status is Status.HELD:
            for word in Word:
                if entry.reason.startswith(f"{word} by "):
                    return word
    return None
