"""What the gateway's HTTP API says, as far as a run looks at it. The contract is all that is known here."""

import re
from typing import Final, TypeVar

import msgspec

from loadtest.errors import CannotRun

Document = TypeVar("Document")

# The states of a message, in the order in which it may come through them.
STATUSES: Final = (
    "held",
    "scheduled",
    "queued",
    "sending",
    "in_doubt",
    "submitted",
    "delivered",
    "failed",
    "expired",
    "cancelled",
    "unknown",
)
FINAL: Final = frozenset({"delivered", "failed", "expired", "cancelled", "unknown"})

_SHOWN_BYTES: Final = 500
_SAMPLE: Final = re.compile(rb"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


class Refusal(msgspec.Struct, frozen=True):
    """Why one message was refused."""

    code: str
    detail: str = ""


class Result(msgspec.Struct, frozen=True):
    """What became of one message that was handed in: accepted, with an id, or refused, with an error."""

    status: str
    id: str = ""
    parts: int | None = None
    error: Refusal | None = None


class Results(msgspec.Struct, frozen=True):
    """The answer to an array, in its order."""

    accepted: int
    refused: int
    results: list[Result]


class Totals(msgspec.Struct, frozen=True):
    """The same, where only the counts are wanted."""

    accepted: int
    refused: int


class Attempt(msgspec.Struct, frozen=True):
    """One try to hand a part to a carrier."""

    carrier: str
    carrier_message_id: str | None = None
    command_status: int | None = None
    error: str | None = None


class PartSeen(msgspec.Struct, frozen=True):
    """A part of a message with all its attempts."""

    n: int
    status: str
    attempts: list[Attempt]


class Entry(msgspec.Struct, frozen=True):
    """A status that a message has had. `at` is RFC 3339."""

    at: str
    status: str
    reason: str | None = None


class MessageSeen(msgspec.Struct, frozen=True):
    """A message as the gateway shows it."""

    id: str
    status: str
    to: str
    network: str
    parts: list[PartSeen]
    client_ref: str | None = None
    timeline: list[Entry] = []


class Page(msgspec.Struct, frozen=True):
    """Some messages, newest first; `cursor` leads to older ones."""

    messages: list[MessageSeen]
    cursor: str | None = None


class BindSeen(msgspec.Struct, frozen=True):
    """A bind of the gateway."""

    name: str
    state: str


class Readiness(msgspec.Struct, frozen=True):
    """What /readyz says."""

    ready: bool
    binds: list[BindSeen]


class Reply(msgspec.Struct, frozen=True):
    """An answer to a submit, how long it took and how often it had to be sent."""

    status: int
    body: bytes
    seconds: float
    tries: int = 1


def read_results(reply: Reply) -> list[Result]:
    """Return what became of the messages that a reply is about, in order. Raises CannotRun where it is about none."""
    if reply.status == 422:
        return [Result("refused", error=read(Refusal, reply.body))]
    if reply.status not in {200, 202}:
        raise CannotRun(f"the gateway answers {reply.status} to POST /v1/messages: {shown(reply.body)}")
    if b'"results"' not in reply.body:
        return [read(Result, reply.body)]
    return read(Results, reply.body).results


def read_totals(reply: Reply) -> Totals:
    """Return how many messages of an array were accepted and refused. Raises CannotRun where it was not taken."""
    if reply.status != 202:
        raise CannotRun(f"the gateway answers {reply.status} to POST /v1/messages: {shown(reply.body)}")
    return read(Totals, reply.body)


def total(metrics: bytes, name: str) -> float:
    """Return the sum of the samples of one name in the text format of Prometheus; 0 where there are none."""
    return sum(float(value) for found, value in _SAMPLE.findall(metrics) if found == name.encode())


def buckets(metrics: bytes, name: str, label: str) -> dict[float, float]:
    """Return how many observations of a histogram are at most each of its bounds; `label` is like `priority="high"`."""
    found: dict[float, float] = {}
    for labels, value in re.findall(rf"^{name}_bucket{{(.*)}} (\S+)$", metrics.decode(), re.MULTILINE):
        bound = re.search(r'le="([^"]+)"', labels)
        if label in labels and bound is not None:
            found[float(bound[1])] = float(value)
    return found


def read(kind: type[Document], body: bytes) -> Document:
    """Return the document in an answer. Raises CannotRun."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise CannotRun(
            f"the gateway answers with something else than was asked for: {error}: {shown(body)}"
        ) from error


def shown(body: bytes) -> str:
    """Return the beginning of an answer that was not expected."""
    return body[:_SHOWN_BYTES].decode(errors="replace")
