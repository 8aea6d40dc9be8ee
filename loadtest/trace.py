"""A file of arrivals to send again: JSON lines, each a message with its time and, if it is known, what it was."""

from array import array
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import msgspec

from loadtest.arrivals import MOST_SECONDS
from loadtest.errors import CannotRun
from loadtest.plan import MOST_MESSAGES
from loadtest.supply import Kind

MOST_SPEED: Final = 1_000.0


class TracedMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line. `at` is in seconds from any moment that is the same for all; `kind` is drawn where it is not given."""

    at: float
    kind: Annotated[str, msgspec.Meta(pattern="^(" + "|".join(kind.name.lower() for kind in Kind) + ")$")] | None = None


class Trace(msgspec.Struct, frozen=True):
    """Messages in the order of their times, which count from the first of them, and their kinds."""

    moments: Sequence[float]
    kinds: Sequence[Kind | None]

    def together(self, batch: int) -> "array[float]":
        """Return when each `batch` of them goes: with the last of it, as who gathers messages sends them."""
        last = len(self.moments) - 1
        return array("d", (self.moments[min(n + batch - 1, last)] for n in range(0, len(self.moments), batch)))


def read_trace(path: Path, *, speed: float) -> Trace:
    """Return the trace in a file, so many times as fast. Raises CannotRun with the line that is wrong."""
    if not 0 < speed <= MOST_SPEED:
        raise CannotRun(f"--speed {speed:g}: must be more than 0, and at most {MOST_SPEED:g}")
    decode = msgspec.json.Decoder(TracedMessage).decode
    messages = []
    try:
        with path.open("rb") as lines:
            for n, line in enumerate(islice(lines, MOST_MESSAGES + 1), 1):
                if line.strip():
                    messages.append(_read(decode(line), path, n))
    except OSError as error:
        raise CannotRun(f"{path}: cannot be read: {error}") from error
    except msgspec.MsgspecError as error:
        raise CannotRun(f"{path}: line {n}: {error}") from error
    if not 1 <= len(messages) <= MOST_MESSAGES:
        raise CannotRun(f"{path}: must have 1 to {MOST_MESSAGES:,} messages")
    messages.sort(key=lambda message: message.at)
    start = messages[0].at
    moments = array("d", ((message.at - start) / speed for message in messages))
    if moments[-1] > MOST_SECONDS:
        raise CannotRun(
            f"{path}: lasts {moments[-1]:,.0f} s: must be at most {MOST_SECONDS:,.0f} s at --speed {speed:g}"
        )
    return Trace(moments, [None if each.kind is None else Kind[each.kind.upper()] for each in messages])


def _read(message: TracedMessage, path: Path, line: int) -> TracedMessage:
    if not abs(message.at) < float("inf"):
        raise CannotRun(f"{path}: line {line}: at: must be a number of seconds")
    return message
