"""Records to rows and back: whole lists become one JSON text, which SQLite takes apart off the GIL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import Entry, Message, Part, Record, State, Status
from gateway.store.api import InboundMessage, UnmatchedReceipt
from gateway.store.schema import FIRST_LANE, STATUS_CODES

_ENCODER: Final = msgspec.json.Encoder()
_WAITING: Final = Part()
_STATUSES: Final[Mapping[int, Status]] = {code: status for status, code in STATUS_CODES.items()}


class _Body(msgspec.Struct, array_like=True):
    """The column `body`."""

    lane: int
    message: Message
    state: State | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
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
            self.add(number, name)
        return number

    def name(self, number: int) -> str:
        return self._names[number]

    def code(self, record: Record) -> int:
        """The column `lane` of a record."""
        status = record.state.status
        return self.number(record.lane) if status is Status.QUEUED else STATUS_CODES[status]

    def status(self, code: int) -> Status:
        return Status.QUEUED if code >= FIRST_LANE else _STATUSES[code]


def encode_appended(records: Iterable[Record], lanes: Lanes) -> bytes:
    """What `INSERT_MESSAGES` takes: the bodies of new records, as they are now."""
    code = lanes.code
    return _ENCODER.encode(
        [
            (code(record), record.message) if _is_untouched(record) else (code(record), record.message, record.state)
            for record in records
        ]
    )


def encode_changed(records: Iterable[Record], lanes: Lanes) -> bytes:
    """What `UPDATE_MESSAGES` takes: the states of records, as they are now."""
    code = lanes.code
    return _ENCODER.encode([(record.message.id, code(record), record.state) for record in records])


def encode_list(values: Sequence[object]) -> bytes:
    """Any values as one JSON array."""
    return _ENCODER.encode(values)


def encode_text(texts: Sequence[str]) -> str:
    """Texts as a JSON array, for statements that compare them with what came out of one."""
    return _ENCODER.encode(texts).decode()


def decode_record(lane: int, body: str, state: str | None, lanes: Lanes) -> Record:
    """One row of `message`."""
    stored = _BODY.decode(body)
    message = stored.message
    if state is not None:
        now = _STATE.decode(state)
    elif stored.state is not None:
        now = stored.state
    else:
        status = lanes.status(stored.lane)
        now = State(status, [_WAITING] * message.parts, [Entry(message.accepted_at, status)])
    return Record(message, now, lanes.name(lane) if lane >= FIRST_LANE else "")


def decode_inbound(body: str) -> InboundMessage:
    return _INBOUND.decode(body)


def decode_receipt(body: str) -> UnmatchedReceipt:
    return _RECEIPT.decode(body)


def _is_untouched(record: Record) -> bool:
    """Whether the state says nothing that the message and its lane do not."""
    message, state = record.message, record.state
    timeline = state.timeline
    return (
        len(timeline) == 1
        and timeline[0] == Entry(message.accepted_at, state.status)
        and state.parts == [_WAITING] * message.parts
    )
