"""What a load sends, made while it is sent: request after request, the same for a seed, at about 2 µs a message."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Final

import msgspec

from gateway.text import count_parts
from loadtest import texts
from loadtest.errors import CannotRun

TEXTS_A_KIND: Final = 500  # different ones; each goes to many numbers, as notices do


class Kind(IntEnum):
    """What a message is."""

    CODE = 0  # a one-time password
    NOTICE = 1  # of one part
    LONG = 2  # a notice of two parts
    INVITATION = 3  # an advertisement


CATEGORIES: Final[Mapping[Kind, str]] = {
    Kind.CODE: "otp",
    Kind.NOTICE: "notification",
    Kind.LONG: "notification",
    Kind.INVITATION: "marketing",
}
WRITERS: Final[Mapping[Kind, Callable[[random.Random], str]]] = {
    Kind.CODE: texts.code,
    Kind.NOTICE: texts.notice,
    Kind.LONG: texts.long_notice,
    Kind.INVITATION: texts.invitation,
}
DEFAULT_MIX: Final[Mapping[str, float]] = {"code": 10, "notice": 85, "long": 5, "invitation": 0}


class Request(msgspec.Struct, frozen=True):
    """One request: its body, and of its messages in order the numbers, how many parts each makes, and its Kind."""

    body: bytes
    phones: list[int]
    parts: bytes
    kinds: bytes

    @property
    def size(self) -> int:
        """How many messages it has."""
        return len(self.phones)


class Supply:
    """Makes requests. `tag` begins each client_ref, so that a run's messages are known from another run's.

    `traced` are the kinds of all messages in order, None for one that is drawn as without it; there are no more then.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        phones: Iterator[int],
        *,
        seed: int,
        tag: str,
        traced: Sequence[Kind | None] | None = None,
    ) -> None:
        self._phones = phones
        self._tag = tag.encode()
        self._source = random.Random(f"supply {seed}")
        self._kinds, self._weights = weigh(weights)
        self._texts = {kind: [_ending(kind, self._source) for _ in range(TEXTS_A_KIND)] for kind in Kind}
        self._traced = traced
        self._made = 0
        self._requests = 0

    def make_request(self, size: int) -> Request:
        """Return the next request, of `size` messages: an object for one, an array for more. Raises CannotRun.

        The last one of a trace has those that are left.
        """
        source, first, label = self._source, self._made, b""
        kinds = source.choices(self._kinds, weights=self._weights, k=size)
        if self._traced is not None:
            known = self._traced[first : first + size]
            kinds = [drawn if kind is None else kind for kind, drawn in zip(known, kinds, strict=False)]
            size = len(kinds)
        if size > 1:
            label = b'","batch":"%s-%d' % (self._tag, self._requests)
        phones, parts, bodies = [], bytearray(), []
        for n, kind in enumerate(kinds, first):
            phone = next(self._phones, None)
            if phone is None:
                raise CannotRun("there are no more numbers")
            many, ending = self._texts[kind][int(source.random() * TEXTS_A_KIND)]
            phones.append(phone)
            parts.append(many)
            bodies.append(b'{"to":"%d","client_ref":"%s%d%s%s' % (phone, self._tag, n, label, ending))
        self._made += size
        self._requests += 1
        body = b"[" + b",".join(bodies) + b"]" if size > 1 else bodies[0]
        return Request(body, phones, bytes(parts), bytes(kinds))


def weigh(weights: Mapping[str, float]) -> tuple[list[Kind], list[float]]:
    """Return the kinds that occur, and the weight of each."""
    kinds = [kind for kind in Kind if weights.get(kind.name.lower(), 0) > 0]
    return kinds, [weights[kind.name.lower()] for kind in kinds]


def _ending(kind: Kind, source: random.Random) -> tuple[int, bytes]:
    """Return how many parts a text makes, and the JSON of a message from the end of its client_ref on."""
    text = WRITERS[kind](source)
    rest = b'","category":"%s","text":%s}' % (CATEGORIES[kind].encode(), msgspec.json.encode(text))
    return count_parts(texts.SIGNATURE + text), rest
