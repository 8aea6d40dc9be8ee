"""Which message a subscriber answers: the last that went to the phone from the number that was written to."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.delivery.addresses import source_key
from gateway.delivery.carriers import Carrier
from gateway.delivery.handover import source_address
from gateway.delivery.shared import Shared
from gateway.message import Message, Milliseconds, Record

_MOST: Final = 50  # messages to one phone that are looked at on disk, the newest


class Ends(msgspec.Struct, frozen=True):
    """Between whom: the phones and the source numbers that a carrier may mean, the likeliest first."""

    phones: Sequence[str]
    sources: Sequence[str]


class Correspondence:
    """Finds it: in memory, else on disk."""

    def __init__(self, shared: Shared, carriers: Mapping[str, Carrier]) -> None:
        self._shared = shared
        self._carriers = carriers

    async def answered(self, asked: Sequence[Ends]) -> list[Message | None]:
        """For each, the message that went from one of the numbers to one of the phones last; None: none of late.

        Many at a time, since those that memory does not know share one look at the disk. Raises StoreError.
        """
        found = [await self._in_memory(ends) for ends in asked]
        unknown = [ends for ends, known in zip(asked, found, strict=True) if known is None]
        phones = sorted({phone for ends in unknown for phone in ends.phones})
        if not phones:
            return found
        since = self._shared.clock() - round(self._shared.settings.reply_seconds * 1000)
        by_phone: dict[str, list[Record]] = {}
        for record in await self._shared.store.sent_to(phones, since=since, limit=_MOST):
            by_phone.setdefault(record.message.to, []).append(record)
        return [
            self._among(by_phone, ends) if known is None else known for ends, known in zip(asked, found, strict=True)
        ]

    async def _in_memory(self, ends: Ends) -> Message | None:
        shared = self._shared
        for phone in ends.phones:
            for source in ends.sources:
                message_id = shared.last_sent.find(source, phone)
                if message_id is not None:
                    record = shared.live.get(message_id) or await shared.store.read(message_id)
                    if record is not None:
                        return record.message
        return None

    def _among(self, by_phone: Mapping[str, Sequence[Record]], ends: Ends) -> Message | None:
        """Of what was read from disk, the message that left last."""
        for phone in ends.phones:
            left = [(self._left_at(record, ends.sources), record.id, record) for record in by_phone.get(phone, ())]
            at, _, record = max(left, default=(0, 0, None))
            if at and record is not None:
                return record.message
        return None

    def _left_at(self, record: Record, sources: Sequence[str]) -> Milliseconds:
        """When a message left from one of these numbers, the last time; 0: never."""
        return max(
            (
                attempt.at
                for part in record.state.parts
                for attempt in part.attempts
                if self._source(record.message, attempt.carrier) in sources
            ),
            default=0,
        )

    def _source(self, message: Message, carrier: str) -> str:
        known = self._carriers.get(carrier)
        return "" if known is None else source_key(source_address(message, known.settings), carrier)
