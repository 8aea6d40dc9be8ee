"""What all parts of delivery work with."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.delivery.durable import AfterCommit
from gateway.delivery.live import Live
from gateway.delivery.settings import CategorySettings, DeliverySettings
from gateway.message import Category, Milliseconds
from gateway.metrics import Metrics
from gateway.rulings import Gate
from gateway.store.api import Store

STORE_RETRY_SECONDS: Final = 0.5


class Shared(msgspec.Struct):
    """One store, one memory, one set of limits."""

    store: Store
    live: Live
    after: AfterCommit
    metrics: Metrics
    settings: DeliverySettings
    categories: Mapping[Category, CategorySettings]
    clock: Callable[[], Milliseconds]
    random: Callable[[], float]
    gate: Gate
