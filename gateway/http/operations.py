"""What the API asks of the running gateway beside intake and store, and what it is told."""

from typing import Protocol

import msgspec

from gateway.message import Milliseconds


class BindView(msgspec.Struct, frozen=True, kw_only=True):
    """One bind as it stands."""

    name: str
    state: str  # "bound" or "down"
    window: int  # how many requests may be unanswered at once
    in_use: int  # how many are
    since: Milliseconds  # when it came into this state
    error: str = ""  # why it is not bound, when it is not


class CarrierView(msgspec.Struct, frozen=True, kw_only=True):
    """One carrier as it stands."""

    name: str
    state: str  # "paused" when an operator has paused it, else "up" when a bind of it is, else "down"
    rate: float  # segments a second that it may be sent now
    queued: int  # messages that wait for it
    binds: tuple[BindView, ...]


class Operations(Protocol):
    """The running gateway."""

    def ready(self) -> bool:
        """Whether messages can be taken: the store is open and recovery done. Binds need not be up for that."""

    def carriers(self) -> list[CarrierView]:
        """Every carrier with its binds, in the order of the config."""


class Metrics(Protocol):
    """Where requests are counted, and what /metrics shows."""

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered. `route` is one of a closed set, such as `POST /v1/messages`."""

    def render(self) -> tuple[bytes, str]:
        """Everything, as Prometheus reads it, and the content type of that."""
