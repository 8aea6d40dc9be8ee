"""What went over every connection: the newest PDUs in full, and a count of all of them.

Recording is on the path of every message, so it keeps what is at hand and renders when asked.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.smpp import Body, CommandId, CommandStatus, DeliverSm, EncodedDeliverSm, EsmClass, Pdu, SubmitSm, encode
from gateway.smpp import decode as decode_pdu
from gateway.text import Coding, decode, split_header


class Kind(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What entries are counted by, known by its identity; `kind_of` has it."""

    incoming: bool
    command_id: int
    command_status: int


@lru_cache(maxsize=4096)  # a client may answer with any of 4 billion statuses
def kind_of(incoming: bool, command_id: int, command_status: int) -> Kind:
    """Return the kind of a PDU."""
    return Kind(incoming, command_id, command_status)


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The connection of an entry: its name, and the account that it has bound with."""

    bind: str
    system_id: str


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One PDU, seen from the simulator. `at` is Unix time.

    `phone` is the subscriber that it, or the request that it answers, is about. `body` is None where only a header went
    over the wire. `taken_as` is the id that a submit_sm was processed under, whether or not its answer told it. A
    receipt and its answer have it too, and `stat`, which is what the receipt says.
    """

    at: float
    kind: Kind
    origin: Origin
    sequence_number: int
    phone: str
    body: Body | None
    taken_as: str = ""
    stat: str = ""

    @property
    def incoming(self) -> bool:
        """Whether it came from the client."""
        return self.kind.incoming

    @property
    def command_id(self) -> int:
        """What it is."""
        return self.kind.command_id

    @property
    def command_status(self) -> int:
        """What its header says of the request that it answers."""
        return self.kind.command_status

    @property
    def bind(self) -> str:
        """The name of the connection."""
        return self.origin.bind

    @property
    def system_id(self) -> str:
        """The account, or "" before the bind."""
        return self.origin.system_id


_FRESH_LIMIT: Final = 1024
_kind: Final = attrgetter("kind")

_COMMAND_NAMES: Final = {int(command): command.name.lower() for command in CommandId}
_STATUS_NAMES: Final = {int(status): status.name for status in CommandStatus}
_CODINGS: Final = {int(coding): coding for coding in Coding}
_MESSAGE_FIELDS: Final = {
    "source_addr": "from",
    "destination_addr": "to",
    "esm_class": "esm_class",
    "data_coding": "data_coding",
    "registered_delivery": "registered_delivery",
}


class Journal:
    """The newest `limit` entries, oldest first, and how many there were of each kind since the last `clear`.

    `record(entry)` keeps one; whoever records calls `settle` now and then, which drops the oldest where there is no
    room.
    """

    def __init__(self, limit: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._counts: Counter[Kind] = Counter()
        self._counted = 0
        self._fresh: list[Entry] = []  # not counted yet: many at once cost a fifth of one at a time
        self.record: Final[Callable[[Entry], None]] = self._fresh.append

    def __len__(self) -> int:
        return len(self._settled())

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._settled())

    def settle(self) -> None:
        """Count what was recorded, once it is enough to be worth it."""
        if len(self._fresh) >= _FRESH_LIMIT:
            self._settled()

    @property
    def dropped(self) -> int:
        """How many entries are no longer here."""
        entries = self._settled()
        return self._counted - len(entries)

    def snapshot(self) -> list[tuple[int, Entry]]:
        """Return the entries with their numbers, which count from 1 and go on when entries are dropped."""
        entries = self._settled()
        return list(enumerate(entries, self._counted - len(entries) + 1))

    def newest(self, count: int) -> list[Entry]:
        """Return the newest `count` entries, oldest first."""
        return list(islice(reversed(self._settled()), count))[::-1]

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return how many PDUs went, by direction, command and status."""
        self._settled()
        counts: dict[str, dict[str, dict[str, int]]] = {"in": {}, "out": {}}
        for kind, count in sorted(self._counts.items(), key=lambda item: msgspec.structs.astuple(item[0])):
            by_command = counts["in" if kind.incoming else "out"]
            by_status = by_command.setdefault(name_command(kind.command_id), {})
            status = name_status(kind.command_status)
            by_status[status] = by_status.get(status, 0) + count
        return counts

    def clear(self) -> None:
        """Forget every entry and every count."""
        self._entries.clear()
        self._fresh.clear()
        self._counts.clear()
        self._counted = 0

    def _settled(self) -> deque[Entry]:
        """Return the entries, with the fresh ones among them and counted."""
        if self._fresh:
            self._counts.update(map(_kind, self._fresh))
            self._counted += len(self._fresh)
            self._entries.extend(self._fresh)
            self._fresh.clear()
        return self._entries


def name_command(command_id: int) -> str:
    """Return the name of a command as the specification spells it, or its number in hex."""
    return _COMMAND_NAMES.get(command_id) or f"0x{command_id:08x}"


def name_status(status: int) -> str:
    """Return the name of a command_status as the specification spells it, or its number in hex."""
    return _STATUS_NAMES.get(status) or f"0x{status:08x}"


def render(entry: Entry, *, number: int, with_text: bool = False) -> dict[str, Any]:
    """Return an entry as JSON has it: names for numbers, hex for octets; with `with_text` the text as well."""
    line: dict[str, Any] = {
        "n": number,
        "at": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="microseconds"),
        "direction": "in" if entry.incoming else "out",
        "bind": entry.bind,
        "system_id": entry.system_id,
        "command": name_command(entry.command_id),
        "status": name_status(entry.command_status),
        "sequence": entry.sequence_number,
    }
    if entry.phone:
        line["phone"] = entry.phone
    if entry.taken_as:
        line["taken_as"] = entry.taken_as
    if entry.stat:
        line["stat"] = entry.stat
    body = entry.body
    if body is None:
        return line
    if isinstance(body, EncodedDeliverSm):
        body = decode_pdu(encode(Pdu(entry.command_status, entry.sequence_number, body))).body
    if message_id := getattr(body, "message_id", ""):
        line["message_id"] = message_id
    if isinstance(body, SubmitSm | DeliverSm):  # not submit_multi or replace_sm, which lack some of the fields
        line |= {name: getattr(body, field) for field, name in _MESSAGE_FIELDS.items()}
        line |= _content(body, with_text=with_text)
    if tlvs := getattr(body, "tlvs", ()):
        line["tlvs"] = {f"0x{tlv.tag:04x}": tlv.value.hex() for tlv in tlvs}
    return line


def _content(body: SubmitSm | DeliverSm, *, with_text: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"short_message": body.short_message.hex()}
    data = body.short_message
    if body.esm_class & EsmClass.UDHI:
        place, data = split_header(data)
        if place is not None:
            content["part"] = {"reference": place.reference, "total": place.total, "number": place.number}
    if with_text:
        content["text"] = decode(data, _CODINGS.get(body.data_coding, Coding.LATIN1))
    return content
