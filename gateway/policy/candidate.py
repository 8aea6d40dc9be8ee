"""A message on its way through policy: what was asked for, and what the stages have made of it so far."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from gateway.account import Account
from gateway.message import Category, Message, MessageId, Milliseconds, Priority
from gateway.numbers import MAINLAND_PREFIX, Network, Number


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One well-formed message of a request, to one number, with nothing decided yet."""

    to: str
    text: str
    category: Category = Category.NOTIFICATION
    urgent: bool = False
    signature: str | None = None
    sender: str = ""
    client_ref: str = ""
    batch: str = ""
    send_at: datetime | None = None  # aware
    valid_for_seconds: int | None = None  # None: the category's default
    priority: Priority | None = None  # None: the category's default


class Candidate(msgspec.Struct, gc=False):
    """A draft and what is known of it. Stages fill in the rest, in the order of the pipeline."""

    draft: Draft
    account: Account
    text: str  # as it will be sent
    signature: str = ""
    number: Number | None = None
    network: Network = Network.UNKNOWN
    parts: int = 1
    hold: str = ""  # why a reviewer must see it first: "words", "category"; empty: nobody must
    opens_at: Milliseconds | None = None  # when its sending window opens; None: it may go now
    tags: tuple[str, ...] = ()  # what was noticed, and is no reason to stop it
    noticed: Mapping[str, Any] | None = None  # the last of that in full, as a refusal's `data`, for those who ask why
    id: MessageId = MessageId(0)  # of its message, from the moment that there is one
    waited: bool = False  # it was accepted before, and is charged only now
    # Once the counting stages have looked at it: when, by the gateway's clock, and the latest that the wall clock has
    # been, in seconds.
    charged_at: Milliseconds = 0
    charged_wall: int = 0

    @property
    def to(self) -> str:
        """E.164. Only after the number stage has accepted."""
        assert self.number is not None
        return self.number.e164


def candidate_of(message: Message, account: Account) -> Candidate:
    """A message that waited, as the rules see it once more: it is understood already."""
    draft = Draft(
        to=message.to,
        text=message.text,
        category=message.category,
        urgent=message.urgent,
        signature=message.signature or None,
        sender=message.sender,
        client_ref=message.client_ref,
        batch=message.batch,
        priority=message.priority,
    )
    number = Number(message.to, mainland=message.to.startswith(MAINLAND_PREFIX))
    return Candidate(
        draft,
        account,
        message.text,
        message.signature,
        number,
        Network(message.network),
        parts=message.parts,
        id=message.id,
        waited=True,
    )
