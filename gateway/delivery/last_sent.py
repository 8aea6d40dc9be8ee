"""Which message went last from a source number to a phone: the one that a reply is to.

Of the newest; what is not here any more is found on disk. One assignment a message: two generations of a dict, of which
the older goes as a whole.
"""

from typing import Final

from gateway.message import MessageId

DEFAULT_LIMIT: Final = 200_000


class LastSent:
    """Between half of `limit` and all of it, the newest pairs of source and phone."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._half = max(1, limit // 2)
        self._newer: dict[str, MessageId] = {}
        self._older: dict[str, MessageId] = {}

    def __len__(self) -> int:
        return len(self._newer.keys() | self._older.keys())

    def note(self, source: str, phone: str, message_id: MessageId) -> None:
        """A message leaves. `phone`: in E.164."""
        newer = self._newer
        newer[f"{phone}/{source}"] = message_id
        if len(newer) >= self._half:
            self._older, self._newer = newer, {}

    def find(self, source: str, phone: str) -> MessageId | None:
        """The message that left last; None when none is known."""
        key = f"{phone}/{source}"
        return self._newer.get(key) or self._older.get(key)
