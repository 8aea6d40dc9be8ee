"""Which message went last from a source number to a phone: the one that a reply is to.

Of the newest; what is not here any more is found on disk. One assignment a message: two generations of a dict, of which
the older goes as a whole.
"""

from collections.abc import Mapping
from typing import Final

from gateway.message import MessageId

DEFAULT_LIMIT: Final = 200_000
_NOBODY: Final[Mapping[str, MessageId]] = {}


class LastSent:
    """Of the last messages, between half of `limit` and all of it: the last one by source and phone."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._half = max(1, limit // 2)
        self._newer: dict[str, dict[str, MessageId]] = {}  # by source, then by phone
        self._older: dict[str, dict[str, MessageId]] = {}
        self._noted = 0  # in the newer generation

    def __len__(self) -> int:
        return sum(len(phones) for generation in (self._newer, self._older) for phones in generation.values())

    def note(self, source: str, phone: str, message_id: MessageId) -> None:
        """A message leaves. `phone`: in E.164."""
        phones = self._newer.get(source)
        if phones is None:
            phones = self._newer[source] = {}
        phones[phone] = message_id
        self._noted += 1
        if self._noted >= self._half:
            self._older, self._newer, self._noted = self._newer, {}, 0

    def find(self, source: str, phone: str) -> MessageId | None:
        """The message that left last; None when none is known."""
        for generation in (self._newer, self._older):
            message_id = generation.get(source, _NOBODY).get(phone)
            if message_id is not None:
                return message_id
        return None
