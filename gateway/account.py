"""An account: who may send and ask, and under which names."""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

import msgspec


class Scope(StrEnum):
    """What a key may do. SEND and READ see the account's own messages only."""

    SEND = "send"
    READ = "read"
    OPERATE = "operate"
    REVIEW = "review"
    METRICS = "metrics"


Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)]


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may have accepted in a day and a month of the calendar. None: as much as it likes."""

    messages_a_day: Limit | None = None
    segments_a_day: Limit | None = None  # parts, as carriers bill them
    messages_a_month: Limit | None = None
    segments_a_month: Limit | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One customer of the gateway, as configured. The key itself is kept apart, as a hash."""

    name: str
    scopes: frozenset[Scope] = frozenset({Scope.SEND, Scope.READ})
    signatures: tuple[str, ...] | None = None  # the registered ones; None: any
    allow_high: bool = False  # may ask for priority high for notifications
    senders: tuple[str, ...] | None = None  # source numbers it may ask for; None: any
    word_exemptions: frozenset[str] = frozenset()  # groups of words that do not matter for it
    categories: frozenset[str] | None = None  # what it may send; None: anything
    submit_rate: int | None = None  # messages a second; None: as many as it likes
    quota: Quota | None = None
    review: frozenset[str] = frozenset()  # categories whose messages are held until a reviewer has seen them
    max_open_messages: int = 2_000_000  # accepted and not final; past it nothing more is accepted
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()  # where its requests may come from; empty: anywhere

    @property
    def sees_all(self) -> bool:
        """Operators and reviewers see every account's messages."""
        return Scope.OPERATE in self.scopes or Scope.REVIEW in self.scopes
