"""Which message a subscriber answers: the last that went to the phone from the number that was written to."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.delivery.addresses import source_key
from gateway.delivery.carriers import Carrier
from gateway.delivery.handover import source_address
from gateway.delivery.shared import Shared
from gateway.message import Message, Milliseconds, Record
from gateway.store.api import Query

_PAGE: Final = 50  # messages to one phone
_MOST_PAGES: Final = 5  # of them, and of stretches of the store that are looked through, for one reply


class Correspondence:
    """Finds it: in memory, else on disk."""

    def __init__(self, shared: Shared, carriers: Mapping[str, Carrier]) -> None:
        self._shared = shared
        self._carriers = carriers

    async def answered(self, phones: Sequence[str], sources: Sequence[str]) -> Message | None:
        """The message that went to one of these phones from one of these numbers, the likeliest first.

        None when there is none of late. Raises StoreError.
        """
        for phone in phones:
            for source in sources:
                found = await self._in_memory(phone, source)
                if found is not None:
                    return found
        for phone in phones:
            found = await self._on_disk(phone, sources)
            if found is not None:
                return found
        return None

    async def _in_memory(self, phone: str, source: str) -> Message | None:
        shared = self._shared
        message_id = shared.last_sent.find(source, phone)
        if message_id is None:
            return None
        record = shared.live.get(message_id) or await shared.store.read(message_id)
        return None if record is None else record.message

    async def _on_disk(self, phone: str, sources: Sequence[str]) -> Message | None:
        """Pages are newest first by acceptance; on the first that has any, the one that left last is meant."""
        since = self._shared.clock() - round(self._shared.settings.reply_seconds * 1000)
        query = Query(to=phone, since=since, limit=_PAGE)
        for _ in range(_MOST_PAGES):
            page = await self._shared.store.find(query)
            left = [(self._left_at(record, sources), record.id, record.message) for record in page.records]
            newest = max((each for each in left if each[0]), default=None)
            if newest is not None:
                return newest[2]
            if page.cursor is None:
                return None
            query = Query(to=phone, since=since, before=page.cursor, limit=_PAGE)
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
