"""Records to rows and back.

Whole lists are encoded by one call, and SQLite takes them apart off the GIL: short rows of numbers, as JSON, and beside
them one blob of all texts, from which it cuts each by place and length (a third cheaper than to parse and print it).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import Message, MessageId, Part, Record, State, Status, new_record
from gateway.store.api import InboundMessage, UnmatchedReceipt
from gateway.store.schema import END_OF_LANES, FIRST_LANE, STATUS_CODES

_ENCODER: Final = msgspec.json.Encoder()
_WAITING: Final = Part()
_STATUSES: Final[Mapping[int, Status]] = {code: status for status, code in STATUS_CODES.items()}


_MESSAGE: Final = msgspec.json.Decoder(Message)
_STATE: Final = msgspec.json.Decoder(State)
_INBOUND: Final = msgspec.json.Decoder(InboundMessage)
_RECEIPT: Final = msgspec.json.Decoder(UnmatchedReceipt)


class Lanes:
    """The numbers of lane names, and back. The loop gives numbers out; the writer keeps them."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def add(self, number: int, name: str) -> None:
        """Take over a number that was given out before."""
        self.numbers[name] = number
        self._names[number] = name

    def number(self, name: str) -> int:
        """The number of a lane; a new name gets the next."""
        number = self.numbers.get(name)
        if number is None:
            number = FIRST_LANE + len(self.numbers)
            assert number < END_OF_LANES
            self.add(number, name)
        return number

    def name(self, number: int) -> str:
        return self._names[number]

    def status(self, code: int) -> Status:
        return _STATUSES.get(code, Status.QUEUED)


class Rows(msgspec.Struct, frozen=True):
    """Rows for one statement: a JSON array of numbers for each, of which the last two say where its text is."""

    count: int
    first_id: MessageId  # the lowest
    numbers: bytes  # JSON: [id, lane, (expires_at,) place of the text from 1, its octets], a row after the other
    texts: bytes  # JSON, a text after the other


def encode_appended(records: Sequence[Record], lanes: Lanes) -> Rows:
    """What `INSERT_MESSAGES` takes: the messages alone, in the order of their ids."""
    number, queued = lanes.number, Status.QUEUED
    texts = _ENCODER.encode_lines([record.message for record in records])
    rows = []
    place = 1
    for record, octets in zip(records, map(len, texts.split(b"\n")), strict=False):
        message, status = record.message, record.state.status
        code = number(record.lane) if status is queued else STATUS_CODES[status]
        rows.append((message.id, code, message.expires_at, place, octets))
        place += octets + 1
    return Rows(len(rows), records[0].message.id, _ENCODER.encode(rows), texts)


def encode_changed(records: Sequence[Record], lanes: Lanes) -> Rows:
    """What `UPDATE_MESSAGES` takes: the states of records, as they are now."""
    number, queued = lanes.number, Status.QUEUED
    texts = _ENCODER.encode_lines([record.state for record in records])
    rows = []
    place = 1
    for record, octets in zip(records, map(len, texts.split(b"\n")), strict=False):
        status = record.state.status
        code = number(record.lane) if status is queued else STATUS_CODES[status]
        rows.append((record.message.id, code, place, octets))
        place += octets + 1
    return Rows(len(rows), min(rows)[0], _ENCODER.encode(rows), texts)


class EntryRows(msgspec.Struct, frozen=True):
    """Entries for two statements: which are removed or replaced, and which are there afterwards."""

    count: int
    keys: bytes  # JSON: [space, key, place of the value from 1, its octets or null when there is none], …
    values: bytes  # one after the other


def encode_entries(entries: Mapping[tuple[str, str], bytes | None]) -> EntryRows:
    """What `Control.put_entries` takes."""
    rows: list[tuple[str, str, int, int | None]] = []
    place = 1
    for (space, key), value in entries.items():
        rows.append((space, key, place, None if value is None else len(value)))
        place += len(value or b"")
    return EntryRows(len(rows), _ENCODER.encode(rows), b"".join(value for value in entries.values() if value))


def encode_list(values: Sequence[object]) -> bytes:
    """Any values as one JSON array."""
    return _ENCODER.encode(values)


def encode_text(texts: Sequence[str]) -> str:
    """Texts as a JSON array, for statements that compare them with what came out of one."""
    return _ENCODER.encode(texts).decode()


def encode_numbers(numbers: Sequence[int]) -> str:
    """Numbers as a JSON array."""
    return _ENCODER.encode(numbers).decode()


def decode_record(lane: int, body: str, state: str | None, due: int | None, lanes: Lanes) -> Record:
    """One row of `message`."""
    message = _MESSAGE.decode(body)
    status = lanes.status(lane)
    name = lanes.name(lane) if status is Status.QUEUED else ""
    record = new_record(message, status, lane=name) if state is None else Record(message, _STATE.decode(state), name)
    if status is Status.SCHEDULED:
        record.due = due or 0
    record.told = len(record.state.timeline)  # in the transaction that wrote it,
    record.counted = status  # and that too
    return record


def decode_inbound(body: str) -> InboundMessage:
    return _INBOUND.decode(body)


def decode_receipt(body: str) -> UnmatchedReceipt:
    return _RECEIPT.decode(body)


def is_untouched(record: Record) -> bool:
    """Whether the state is what `new_record` makes: then it need not be written."""
    message, state = record.message, record.state
    timeline = state.timeline
    if len(timeline) != 1:
        return False
    [first] = timeline
    return (
        first.at == message.accepted_at
        and first.status is state.status
        and not first.reason
        and state.parts == [_WAITING] * message.parts
    )
