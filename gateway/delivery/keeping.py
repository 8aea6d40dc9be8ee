"""To disk and back: the records of one carrier are written, and leave the memory once they are final and on disk."""

import asyncio

from gateway.delivery.awaiting import Awaiting
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.message import PartStatus, Record
from gateway.store.api import Commit


class Keeping:
    """Writes what changes, and lets go of what has ended."""

    def __init__(self, carrier: str, shared: Shared, awaiting: Awaiting) -> None:
        self._carrier = carrier
        self._shared = shared
        self._awaiting = awaiting
        self._loop = asyncio.get_running_loop()
        self._unwritten: list[Record] = []  # final, and the commit has failed
        self._forget_all = self._forget_finals  # bound once, for it is what actions are gathered by

    def keep(self, record: Record, *, changed: bool = True) -> Commit:
        """Write a record's state. When it is final and on disk, it leaves the memory."""
        commit = self._shared.store.update(record)
        if record.is_final:
            if changed and self._shared.live.finish(record):
                message, status = record.message, record.status
                labels = (self._carrier, message.network, message.category, status)
                self._shared.metrics.messages_finished.add(labels)
                self._shared.usage.finished(record, self._carrier, at=self._shared.clock())
            self._shared.after.gather(commit, self._forget_all, record)
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

    def _forget_finals(self, records: list[Record], succeeded: bool) -> None:
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
