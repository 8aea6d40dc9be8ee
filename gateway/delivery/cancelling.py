"""Cancelling one message: at once while it waits; with a carrier that takes cancel_sm, after it was submitted too."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from gateway.controls import Cancelled
from gateway.delivery import outcomes
from gateway.delivery.carriers import Carrier
from gateway.delivery.endings import Endings
from gateway.delivery.handover import cancel_sm
from gateway.delivery.live import Reading
from gateway.delivery.shared import Shared
from gateway.message import MessageId, PartStatus, Record, Status
from gateway.smpp import CommandStatus
from gateway.store.api import Commit
from gateway.store.matching import NOT_YET_SENT

ASKED_FOR: Final = "cancelled"  # the reason in its timeline


class _Taken(msgspec.Struct, frozen=True):
    """A part that a carrier took: attempt k of part n has the carrier's id."""

    n: int
    k: int
    carrier: Carrier


class Cancelling:
    """Cancels messages, and gives back what they were charged."""

    def __init__(self, shared: Shared, carriers: Mapping[str, Carrier], endings: Endings) -> None:
        self._shared = shared
        self._carriers = carriers
        self._endings = endings

    async def cancel(self, message_id: MessageId, account: str) -> Cancelled | None:
        """Cancel a message of an account; None when it has none with this id. Raises StoreError."""
        while True:
            with self._shared.live.reading() as reading:
                stored = await self._shared.store.read(message_id)
                if stored is None or stored.message.account != account:
                    return None
                commit = self.end_waiting(reading, stored)
                record = self._shared.live.get(message_id) if commit is not None else self._current(reading, stored)
            if record is None:
                continue  # it left the memory while it was read, so what was read may be old
            if commit is not None:
                await asyncio.shield(commit)
                return Cancelled(record, done=True)
            if record.status not in NOT_YET_SENT:
                return await self._cancel_sent(record)

    def end_waiting(self, reading: Reading, stored: Record) -> Commit | None:
        """Cancel one that waits; None when it does not."""
        if stored.status not in NOT_YET_SENT:
            return None
        commit = self._endings.end(reading, stored, Status.CANCELLED, at=self._shared.clock(), reason=ASKED_FOR)
        record = self._shared.live.get(stored.id)
        if commit is not None and record is not None:
            self._give_back(record, commit)
        return commit

    def _current(self, reading: Reading, stored: Record) -> Record | None:
        """The one copy of a record that was just read: in memory, if it may change under our hands."""
        if stored.status is not Status.SUBMITTED:
            return self._shared.live.get(stored.id) or (stored if reading.is_fresh(stored.id) else None)
        is_fresh = reading.is_fresh(stored.id)
        record = reading.adopt(stored)
        if record is not None and is_fresh:
            self._endings.carrier_of(record).watch(record)
        return record

    def _give_back(self, record: Record, commit: Commit) -> None:
        """Undo the charge of a message that was cancelled before any part left, once that is on disk."""
        if record.charged_at is not None and not any(part.attempts for part in record.state.parts):
            self._shared.after.add(commit, partial(self._given_back, record))

    def _given_back(self, record: Record, succeeded: bool) -> None:
        charged_at = record.charged_at
        if succeeded and charged_at is not None:
            self._shared.gate.give_back(record.message, charged_at=charged_at, now=self._shared.clock())

    # --- after it was submitted --------------------------------------------------------------------------------------

    async def _cancel_sent(self, record: Record) -> Cancelled:
        taken = self._taken_parts(record)
        if taken and await self._take_back(record, taken):
            record = await self._end_submitted(record.id)
        if record.status is not Status.CANCELLED:
            return Cancelled(record, done=False)
        if record.id in self._shared.live:
            await asyncio.shield(self._shared.store.update(record))
        return Cancelled(record, done=True)

    def _taken_parts(self, record: Record) -> list[_Taken]:
        """Every part with the id that its carrier knows it by; none when one cannot be taken back for sure.

        That is: it is not only submitted, another copy may be on its way, its carrier takes no cancel_sm, or there is
        no id: without one, everything from that source to that number would be cancelled.
        """
        if record.status is not Status.SUBMITTED:
            return []
        found = []
        for n, part in enumerate(record.state.parts):
            copies = [k for k, attempt in enumerate(part.attempts) if attempt.command_status in {None, 0}]
            if part.status is not PartStatus.SUBMITTED or len(copies) != 1:
                return []
            attempt = part.attempts[copies[0]]
            carrier = self._carriers.get(attempt.carrier)
            if carrier is None or not carrier.settings.cancel_sm or not attempt.carrier_message_id:
                return []
            found.append(_Taken(n, copies[0], carrier))
        return found

    async def _take_back(self, record: Record, taken: list[_Taken]) -> bool:
        """Ask the carriers for every part; whether they agreed to all of it.

        That we ask is on disk before: a receipt that says DELETED is then no failure.
        """
        message = record.message
        ids = [record.state.parts[each.n].attempts[each.k].carrier_message_id for each in taken]
        for each in taken:
            outcomes.ask_to_cancel(record, each.n, each.k)
        await asyncio.shield(self._shared.store.update(record))
        questions = [
            each.carrier.ask(cancel_sm(message, carrier_message_id, each.carrier.settings))
            for each, carrier_message_id in zip(taken, ids, strict=True)
        ]
        statuses = await asyncio.gather(*(question.answered for question in questions if question is not None))
        return len(statuses) == len(taken) and all(status == CommandStatus.ESME_ROK for status in statuses)

    async def _end_submitted(self, message_id: MessageId) -> Record:
        """Cancel what its carriers have agreed to cancel, unless receipts have ended it meanwhile."""
        record = None
        while record is None:
            with self._shared.live.reading() as reading:
                stored = await self._shared.store.read(message_id)
                assert stored is not None
                record = self._current(reading, stored)
        if record.status is Status.SUBMITTED:
            outcomes.end(record, Status.CANCELLED, at=self._shared.clock(), reason=ASKED_FOR)
            self._endings.carrier_of(record).keep(record)
        return record
