"""PDUs to bytes and back. Each whole: cutting a stream into PDUs is the splitter's work."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from .constants import RESPONSE_BIT, CommandId
from .errors import DecodeError
from .layouts import Layout, compile_layout
from .pdus import BODY_TYPES, Body, EncodedDeliverSm
from .statuses import CommandStatus, name_status
from .wire import HEADER, HEADER_BYTES


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """A protocol data unit: the header's status (32 bits) and sequence number (32 bits), and the body."""

    command_status: int
    sequence_number: int
    body: Body

    @property
    def command_id(self) -> CommandId:
        """What it is; the body knows."""
        return self.body.command_id


def _encode_encoded(body: EncodedDeliverSm, command_status: int, sequence_number: int) -> bytes:
    octets = body.octets
    return HEADER.pack(HEADER_BYTES + len(octets), _DELIVER_SM, command_status, sequence_number) + octets


_ROK: Final = CommandStatus.ESME_ROK
_DELIVER_SM: Final = int(CommandId.DELIVER_SM)
_DELIVER_SM_RESP: Final = int(CommandId.DELIVER_SM_RESP)
_LAYOUTS: Final[dict[type[Body], Layout]] = {
    body_type: compile_layout(body_type, body_type.command_id, bare_when_refused=body_type.bare_when_refused)
    for body_type in BODY_TYPES
}

# `ENCODERS[type(body)](body, command_status, sequence_number)` is the whole PDU. Raises EncodeError.
ENCODERS: Final[Mapping[type[Body], Callable[[Any, int, int], bytes]]] = {
    **{body_type: layout.encode for body_type, layout in _LAYOUTS.items()},
    EncodedDeliverSm: _encode_encoded,
}

# `DECODERS[command_id](data)` is the body of the whole PDU `data`. Raises DecodeError.
DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    int(body_type.command_id): layout.decode for body_type, layout in _LAYOUTS.items()
}

# What a response that has no body stands for.
_EMPTY_RESPONSES: Final[Mapping[int, Body]] = {
    int(body_type.command_id): body_type() for body_type in BODY_TYPES if body_type.command_id & RESPONSE_BIT
}
_BARE_WHEN_ACCEPTED: Final = frozenset(
    int(body_type.command_id) for body_type in BODY_TYPES if body_type.bare_when_accepted
)


def encode(pdu: Pdu) -> bytes:
    """`pdu` as it goes on the wire. Raises EncodeError, with the field and the rule, where it does not fit."""
    return ENCODERS[type(pdu.body)](pdu.body, pdu.command_status, pdu.sequence_number)


def decode(data: bytes) -> Pdu:
    """The PDU that is all of `data`. Raises DecodeError, with the status to refuse it with, where it is damaged."""
    if len(data) < HEADER_BYTES:
        raise DecodeError("command_length", "shorter than a header", CommandStatus.ESME_RINVCMDLEN)
    length, command_id, command_status, sequence_number = HEADER.unpack_from(data)
    if length != len(data):
        raise DecodeError("command_length", f"says {length}, not {len(data)}", CommandStatus.ESME_RINVCMDLEN)
    body = decode_body(data, command_id, command_status)
    return Pdu(name_status(command_status) if command_status else _ROK, sequence_number, body)


def decode_body(data: bytes, command_id: int, command_status: int) -> Body:
    """The body of the whole PDU `data`, whose header has been read. Raises DecodeError.

    A refusal says all it has to say in its header, so its body may be missing, or damaged.
    """
    if command_id == _DELIVER_SM_RESP and data[HEADER_BYTES:] == b"\0":
        return _EMPTY_RESPONSES[command_id]  # its message_id "is unused and is set to NULL": section 4.6.2
    decoder = DECODERS.get(command_id)
    if decoder is None:
        raise DecodeError("command_id", f"{command_id:#010x} is not known", CommandStatus.ESME_RINVCMDID)
    try:
        body: Body = decoder(data)
    except DecodeError:
        if not command_id & RESPONSE_BIT:
            raise
        if command_status or (len(data) == HEADER_BYTES and command_id in _BARE_WHEN_ACCEPTED):
            return _EMPTY_RESPONSES[command_id]
        raise
    return body
