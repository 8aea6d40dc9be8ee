"""What all parts of delivery work with."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Protocol

import msgspec

from gateway.delivery.awaiting import Awaiting
from gateway.delivery.durable import AfterCommit
from gateway.delivery.last_sent import LastSent
from gateway.delivery.lessons import Lessons, NoLessons
from gateway.delivery.live import Live
from gateway.delivery.settings import CategorySettings, DeliverySettings, OnDoubt
from gateway.delivery.stops import Stops
from gateway.message import Category, Message, Milliseconds, Record
from gateway.metrics import Metrics
from gateway.rulings import Gate
from gateway.store.api import Store

STORE_RETRY_SECONDS: Final = 0.5


class Counting(Protocol):
    """Who keeps the books: told of every part that a carrier took, and of every end of a message."""

    def submitted(self, record: Record, carrier: str, *, at: Milliseconds) -> None: ...

    def finished(self, record: Record, carrier: str, *, at: Milliseconds) -> None: ...


class Shared(msgspec.Struct):
    """One store, one memory, one set of limits.

    rank: the carriers that may take a message, best first, by what is known now.
    goes_on_when_refused: whether a message that a carrier refused for good shall go by the next one.
    awaiting: of every carrier, by its name.
    lessons: who wants to know what receipts tell of numbers and carriers.
    """

    store: Store
    live: Live
    after: AfterCommit
    metrics: Metrics
    settings: DeliverySettings
    categories: Mapping[Category, CategorySettings]
    clock: Callable[[], Milliseconds]
    random: Callable[[], float]
    gate: Gate
    usage: Counting
    stops: Stops = msgspec.field(default_factory=Stops)
    rank: Callable[[Message], Sequence[str]] = attrgetter("carriers")
    goes_on_when_refused: Callable[[Message], bool] = lambda _: False
    awaiting: dict[str, Awaiting] = msgspec.field(default_factory=dict)
    lessons: Lessons = NoLessons()
    last_sent: LastSent = msgspec.field(default_factory=LastSent)

    def on_doubt(self, record: Record, n: int) -> OnDoubt:
        """What to do about part `n`, whose answer never came: as its category says, up to some copies."""
        attempts = record.state.parts[n].attempts
        copies = sum(attempt.command_status is None for attempt in attempts)
        if copies >= self.settings.copies or len(attempts) >= self.settings.attempts:
            return OnDoubt.WAIT  # a carrier that takes and never answers
        return self.categories[record.message.category].on_doubt
