"""Which client_refs were used lately, so that a repeated request is answered with its first message.

Kept as 64-bit hashes in one dict an hour: whole hours are dropped when they are too old or when there are too many, so
forgetting never stalls anything. The record that a hash leads to is compared in full before it is believed.
"""

from collections import deque
from typing import Annotated, Final

import msgspec

from gateway.message import MessageId, Milliseconds

_GENERATION_MILLISECONDS: Final = 3_600_000


class ClientRefSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long, and how many, client_refs are remembered."""

    remember_seconds: Annotated[float, msgspec.Meta(ge=0, le=2_592_000)] = 86_400.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 10_000_000  # about 100 bytes each, taken as used


class _Generation(msgspec.Struct):
    started_at: Milliseconds
    ids: dict[int, MessageId]


class ClientRefs:
    """(account, client_ref) -> the first message that carried it."""

    def __init__(self, settings: ClientRefSettings) -> None:
        self._settings = settings
        self._generations: deque[_Generation] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, account: str, client_ref: str, *, now: Milliseconds) -> MessageId | None:
        """The message that first carried this ref, newest first, or None."""
        self._forget(now)
        key = hash((account, client_ref))
        for generation in self._generations:
            found = generation.ids.get(key)
            if found is not None:
                return found
        return None

    def add(self, account: str, client_ref: str, message_id: MessageId, *, now: Milliseconds) -> None:
        """Remember a ref. `now` does not go back by more than an hour's part."""
        generations = self._generations
        if not generations or now - generations[0].started_at >= _GENERATION_MILLISECONDS:
            generations.appendleft(_Generation(now, {}))
        generations[0].ids[hash((account, client_ref))] = message_id
        self._count += 1

    def discard(self, account: str, client_ref: str) -> None:
        """Forget a ref whose message was not accepted after all."""
        key = hash((account, client_ref))
        for generation in self._generations:
            if generation.ids.pop(key, None) is not None:
                self._count -= 1
                return

    def oldest_age_seconds(self, *, now: Milliseconds) -> float:
        """How far back the memory reaches."""
        return (now - self._generations[-1].started_at) / 1000 if self._generations else 0.0

    def _forget(self, now: Milliseconds) -> None:
        generations = self._generations
        limit_milliseconds = self._settings.remember_seconds * 1000 + _GENERATION_MILLISECONDS
        while generations and (
            now - generations[-1].started_at >= limit_milliseconds
            or (self._count > self._settings.limit and len(generations) > 1)
        ):
            self._count -= len(generations.pop().ids)
