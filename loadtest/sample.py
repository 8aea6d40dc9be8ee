"""A sample batch: messages with what must become of each, one JSON object a line (config/demo/README.md)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.errors import CannotRun

ARRAY_MESSAGES: Final = 60

# Codes and urgent notices are sent when they arise, one a request; the rest is what an evening's export hands over.
_ALONE: Final = "otp"

REFUSED: Final = "refused"


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a message ends: its final status, with its parts when it was accepted, or the code when it was refused."""

    status: str
    parts: int | None = None
    code: str | None = None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a sample: the body of its request, how it must end, and why it is there."""

    message: dict[str, Any]
    expect: Ending
    note: str

    def __post_init__(self) -> None:
        for member in ("client_ref", "to", "text"):
            if not isinstance(self.message.get(member), str):
                raise ValueError(f"message.{member}: must be a string")  # noqa: TRY004 - msgspec takes only this one

    @property
    def ref(self) -> str:
        """What the sender calls it; no other entry has the same."""
        return str(self.message["client_ref"])

    @property
    def kind(self) -> str:
        """The sort of notice: what the note has before its colon."""
        return self.note.partition(":")[0]


class Request(msgspec.Struct, frozen=True):
    """The entries of one request. `single`: its body is the message itself, not an array."""

    entries: Sequence[Entry]
    single: bool

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        messages = [entry.message for entry in self.entries]
        return msgspec.json.encode(messages[0] if self.single else messages)


def read_sample(path: Path) -> list[Entry]:
    """Return the entries in a file. Raises CannotRun with the line that is wrong."""
    decode = msgspec.json.Decoder(Entry).decode
    entries: dict[str, Entry] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CannotRun(f"{path}: cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            entry = decode(line)
        except msgspec.MsgspecError as error:
            raise CannotRun(f"{path}:{number}: {error}") from error
        if entries.setdefault(entry.ref, entry) is not entry:
            raise CannotRun(f"{path}:{number}: message.client_ref = {entry.ref!r}: must be in one line only")
    if not entries:
        raise CannotRun(f"{path}: must have at least one line")
    return list(entries.values())


def requests_of(entries: Sequence[Entry]) -> list[Request]:
    """Return the requests in which a sample is sent: codes and urgent ones alone, the others in arrays, in order."""
    requests: list[Request] = []
    waiting: list[Entry] = []
    for entry in entries:
        if entry.message.get("category") == _ALONE or entry.message.get("urgent"):
            requests.append(Request((entry,), single=True))
            continue
        waiting.append(entry)
        if len(waiting) == ARRAY_MESSAGES:
            requests.append(Request(tuple(waiting), single=False))
            waiting.clear()
    if waiting:
        requests.append(Request(tuple(waiting), single=False))
    return requests
