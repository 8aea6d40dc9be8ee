"""What a load sends: every message and every request of it, made before the clock starts, the same for a seed."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

import msgspec

from gateway.text import count_parts
from loadtest import texts
from loadtest.numbers import make_numbers

MOST_MESSAGES: Final = 10_000_000
MOST_IN_A_REQUEST: Final = 10_000  # the API takes no more

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of all messages: codes (otp, one part), and notices of two parts; the rest are notices of one."""

    codes: Share = 0.10
    two_parts: Share = 0.05

    def __post_init__(self) -> None:
        if self.codes + self.two_parts > 1:
            raise ValueError("the shares of codes and of two parts must add up to at most 1")

    def __str__(self) -> str:
        return f"{self.codes:.0%} codes, {self.two_parts:.0%} notices of two parts, the rest of one"


class PlannedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it is sent, but for `parts`, which is how many it makes."""

    to: str
    text: str
    category: str
    client_ref: str
    batch: str
    parts: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All messages in their order, and the bodies of the requests that hand them in."""

    messages: Sequence[PlannedMessage]
    bodies: Sequence[bytes]
    seed: int
    mix: Mix

    @property
    def parts(self) -> int:
        """How many parts all messages make."""
        return sum(message.parts for message in self.messages)


def make_plan(count: int, *, batch: int, seed: int, mix: Mix) -> Plan:
    """Return a plan of `count` messages, `batch` of them in a request, each to a number of its own."""
    assert 1 <= count <= MOST_MESSAGES, "checked with the arguments"
    assert 1 <= batch <= MOST_IN_A_REQUEST, "checked with the arguments"
    source = random.Random(f"texts {seed}")
    numbers = make_numbers(count, seed=seed)
    messages = [_make_message(number, n, batch, mix, source) for n, number in enumerate(numbers)]
    bodies = [msgspec.json.encode([_body(message) for message in chunk]) for chunk in _chunks(messages, batch)]
    return Plan(messages=messages, bodies=bodies, seed=seed, mix=mix)


def _make_message(number: str, n: int, batch: int, mix: Mix, source: random.Random) -> PlannedMessage:
    chance = source.random()
    if chance < mix.codes:
        category, text = "otp", texts.code(source)
    elif chance < mix.codes + mix.two_parts:
        category, text = "notification", texts.long_notice(source)
    else:
        category, text = "notification", texts.notice(source)
    return PlannedMessage(
        to=number,
        text=text,
        category=category,
        client_ref=f"load-{n:08}",
        batch=f"load-{n // batch:06}",
        parts=count_parts(texts.SIGNATURE + text),
    )


def _body(message: PlannedMessage) -> dict[str, str]:
    return {
        "to": message.to,
        "text": message.text,
        "category": message.category,
        "client_ref": message.client_ref,
        "batch": message.batch,
    }


def _chunks(messages: Sequence[PlannedMessage], size: int) -> Iterator[list[PlannedMessage]]:
    rest = iter(messages)
    while chunk := list(islice(rest, size)):
        yield chunk
