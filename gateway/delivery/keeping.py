"""To disk and back: the records of one carrier are written, and leave the memory once they are final and on disk."""

import asyncio

from gateway.delivery.awaiting import Awaiting
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.message import MessageId, PartStatus, Record
from gateway.store.api import Commit


class Keeping:
    """Writes what changes, and lets go of what has ended."""

    def __init__(self, carrier: str, shared: Shared, awaiting: Awaiting) -> None:
        self._carrier = carrier
        self._shared = shared
        self._awaiting = awaiting
        self._loop = asyncio.get_running_loop()
        self._unwritten: list[Record] = []  # final, and the commit has failed
        self._uncounted: set[MessageId] = set()  # those of them that are not counted as finished
        # Bound once, for they are what actions are gathered by.
        self._forget_all, self._count_all = self._forget_finals, self._count_finals

    def keep(self, record: Record, *, changed: bool = True) -> Commit:
        """Write a record's state. When it is final and on disk, it is counted as finished, and leaves the memory."""
        commit = self._shared.store.update(record)
        if record.is_final:
            is_first = changed and self._shared.live.finish(record)
            if is_first:
                self._shared.usage.finished(record, self._carrier, at=self._shared.clock())
            self._shared.after.gather(commit, self._count_all if is_first else self._forget_all, record)
        return commit

    def watch(self, record: Record) -> None:
        """Await receipts for a record that was read from disk."""
        for n, part in enumerate(record.state.parts):
            for k, attempt in enumerate(part.attempts):
                if attempt.carrier != self._carrier:
                    continue
                if attempt.carrier_message_id:
                    self._awaiting.add(record, n, k)
                elif attempt.command_status is None:
                    self._awaiting.add_without_id(record, n, k)

    def _count_finals(self, records: list[Record], succeeded: bool) -> None:
        if succeeded:
            self._count(records)
        else:
            self._uncounted.update(record.id for record in records)
        self._forget_finals(records, succeeded)

    def _count(self, records: list[Record]) -> None:
        finished = self._shared.metrics.messages_finished
        for record in records:
            message = record.message
            finished.add((self._carrier, message.network, message.category, record.status))

    def _forget_finals(self, records: list[Record], succeeded: bool) -> None:
        if succeeded and self._uncounted:
            late = [record for record in records if record.id in self._uncounted]
            self._uncounted.difference_update(record.id for record in late)
            self._count(late)
        for record in records:
            self._forget_final(record, succeeded)

    def _forget_final(self, record: Record, succeeded: bool) -> None:
        """Let go of a final record, unless a bind still has one of its parts: then the answer comes here again."""
        if not record.is_final or any(part.status is PartStatus.SENDING for part in record.state.parts):
            return
        if succeeded:
            forget_everywhere(record, self._shared)
            self._shared.live.drop(record)
            return
        self._unwritten.append(record)
        if len(self._unwritten) == 1:
            self._loop.call_later(STORE_RETRY_SECONDS, self._write_again)

    def _write_again(self) -> None:
        """The store writes by itself what it could not; hear when it has."""
        if self._shared.store.failure is not None:
            self._loop.call_later(STORE_RETRY_SECONDS, self._write_again)
            return
        unwritten, self._unwritten = self._unwritten, []
        for record in unwritten:
            self.keep(record, changed=False)


def forget_everywhere(record: Record, shared: Shared) -> None:
    """Await no receipt for a record any more, whichever carriers it was with."""
    forgotten = ""
    for part in record.state.parts:
        for attempt in part.attempts:
            if attempt.carrier != forgotten:  # nearly always they are all of one
                forgotten = attempt.carrier
                awaiting = shared.awaiting.get(forgotten)
                if awaiting is not None:
                    awaiting.forget(record)
