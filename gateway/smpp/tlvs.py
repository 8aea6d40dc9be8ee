"""Optional parameters, as tag, length and value: every tag of SMPP 3.4 (section 5.3) and 5.0 (4.8.4), and its type.

A PDU keeps its parameters as they came, in order, whether the tag is known or not.
"""

import struct
from enum import IntEnum, unique
from typing import Final

import msgspec

from .errors import DecodeError, EncodeError
from .statuses import CommandStatus

_TAG_AND_LENGTH: Final = struct.Struct(">HH")
_TAG_AND_LENGTH_BYTES: Final = 4
_WIDEST_INTEGER: Final = 8


class Tlv(msgspec.Struct, frozen=True, gc=False):
    """One optional parameter: a tag (16 bits) and the octets of its value (at most 65,535)."""

    tag: int
    value: bytes


@unique
class TlvTag(IntEnum):
    """The tags of SMPP 3.4, section 5.3.2, and 5.0, section 4.8.1. Vendors have 0x1400 to 0x3FFF."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    CONGESTION_STATE = 0x0428
    USSD_SERVICE_OP = 0x0501
    BROADCAST_CHANNEL_INDICATOR = 0x0600
    BROADCAST_CONTENT_TYPE = 0x0601
    BROADCAST_CONTENT_TYPE_INFO = 0x0602
    BROADCAST_MESSAGE_CLASS = 0x0603
    BROADCAST_REP_NUM = 0x0604
    BROADCAST_FREQUENCY_INTERVAL = 0x0605
    BROADCAST_AREA_IDENTIFIER = 0x0606
    BROADCAST_ERROR_STATUS = 0x0607
    BROADCAST_AREA_SUCCESS = 0x0608
    BROADCAST_END_TIME = 0x0609
    BROADCAST_SERVICE_GROUP = 0x060A
    BILLING_IDENTIFICATION = 0x060B
    SOURCE_NETWORK_ID = 0x060D
    DEST_NETWORK_ID = 0x060E
    SOURCE_NODE_ID = 0x060F
    DEST_NODE_ID = 0x0610
    DEST_ADDR_NP_RESOLUTION = 0x0611
    DEST_ADDR_NP_INFORMATION = 0x0612
    DEST_ADDR_NP_COUNTRY = 0x0613
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


class IntegerValue(msgspec.Struct, frozen=True):
    """An unsigned integer of `octets` octets."""

    octets: int


class TextValue(msgspec.Struct, frozen=True):
    """A C-Octet String of `smallest` to `largest` octets, with its NUL."""

    smallest: int
    largest: int


class OctetsValue(msgspec.Struct, frozen=True):
    """`smallest` to `largest` octets."""

    smallest: int
    largest: int


ValueType = IntegerValue | TextValue | OctetsValue

_1: Final = IntegerValue(1)
_2: Final = IntegerValue(2)
_4: Final = IntegerValue(4)

VALUE_TYPES: Final[dict[TlvTag, ValueType]] = {
    TlvTag.DEST_ADDR_SUBUNIT: _1,
    TlvTag.DEST_NETWORK_TYPE: _1,
    TlvTag.DEST_BEARER_TYPE: _1,
    TlvTag.DEST_TELEMATICS_ID: _2,
    TlvTag.SOURCE_ADDR_SUBUNIT: _1,
    TlvTag.SOURCE_NETWORK_TYPE: _1,
    TlvTag.SOURCE_BEARER_TYPE: _1,
    TlvTag.SOURCE_TELEMATICS_ID: _1,  # one octet, unlike the destination's: SMPP 3.4, section 5.3.2.8
    TlvTag.QOS_TIME_TO_LIVE: _4,
    TlvTag.PAYLOAD_TYPE: _1,
    TlvTag.ADDITIONAL_STATUS_INFO_TEXT: TextValue(1, 256),
    TlvTag.RECEIPTED_MESSAGE_ID: TextValue(1, 65),
    TlvTag.MS_MSG_WAIT_FACILITIES: _1,
    TlvTag.PRIVACY_INDICATOR: _1,
    TlvTag.SOURCE_SUBADDRESS: OctetsValue(2, 23),
    TlvTag.DEST_SUBADDRESS: OctetsValue(2, 23),
    TlvTag.USER_MESSAGE_REFERENCE: _2,
    TlvTag.USER_RESPONSE_CODE: _1,
    TlvTag.SOURCE_PORT: _2,
    TlvTag.DESTINATION_PORT: _2,
    TlvTag.SAR_MSG_REF_NUM: _2,
    TlvTag.LANGUAGE_INDICATOR: _1,
    TlvTag.SAR_TOTAL_SEGMENTS: _1,
    TlvTag.SAR_SEGMENT_SEQNUM: _1,
    TlvTag.SC_INTERFACE_VERSION: _1,
    TlvTag.CALLBACK_NUM_PRES_IND: _1,
    TlvTag.CALLBACK_NUM_ATAG: OctetsValue(0, 65),
    TlvTag.NUMBER_OF_MESSAGES: _1,
    TlvTag.CALLBACK_NUM: OctetsValue(4, 19),
    TlvTag.DPF_RESULT: _1,
    TlvTag.SET_DPF: _1,
    TlvTag.MS_AVAILABILITY_STATUS: _1,
    TlvTag.NETWORK_ERROR_CODE: OctetsValue(3, 3),
    TlvTag.MESSAGE_PAYLOAD: OctetsValue(0, 0xFFFF),
    TlvTag.DELIVERY_FAILURE_REASON: _1,
    TlvTag.MORE_MESSAGES_TO_SEND: _1,
    TlvTag.MESSAGE_STATE: _1,
    TlvTag.CONGESTION_STATE: _1,
    TlvTag.USSD_SERVICE_OP: _1,
    TlvTag.BROADCAST_CHANNEL_INDICATOR: _1,
    TlvTag.BROADCAST_CONTENT_TYPE: OctetsValue(3, 3),
    TlvTag.BROADCAST_CONTENT_TYPE_INFO: OctetsValue(1, 255),
    TlvTag.BROADCAST_MESSAGE_CLASS: _1,
    TlvTag.BROADCAST_REP_NUM: _2,
    TlvTag.BROADCAST_FREQUENCY_INTERVAL: OctetsValue(3, 3),
    TlvTag.BROADCAST_AREA_IDENTIFIER: OctetsValue(1, 100),
    TlvTag.BROADCAST_ERROR_STATUS: _4,
    TlvTag.BROADCAST_AREA_SUCCESS: _1,
    TlvTag.BROADCAST_END_TIME: TextValue(1, 17),
    TlvTag.BROADCAST_SERVICE_GROUP: OctetsValue(1, 255),
    TlvTag.BILLING_IDENTIFICATION: OctetsValue(1, 1024),
    TlvTag.SOURCE_NETWORK_ID: TextValue(7, 65),
    TlvTag.DEST_NETWORK_ID: TextValue(7, 65),
    TlvTag.SOURCE_NODE_ID: OctetsValue(6, 6),
    TlvTag.DEST_NODE_ID: OctetsValue(6, 6),
    TlvTag.DEST_ADDR_NP_RESOLUTION: _1,
    TlvTag.DEST_ADDR_NP_INFORMATION: OctetsValue(10, 10),
    TlvTag.DEST_ADDR_NP_COUNTRY: OctetsValue(1, 5),
    TlvTag.DISPLAY_TIME: _1,
    TlvTag.SMS_SIGNAL: _2,
    TlvTag.MS_VALIDITY: OctetsValue(1, 4),  # one octet in 3.4, one or four in 5.0
    TlvTag.ALERT_ON_MESSAGE_DELIVERY: OctetsValue(0, 1),  # empty in 3.4, empty or one in 5.0
    TlvTag.ITS_REPLY_TYPE: _1,
    TlvTag.ITS_SESSION_INFO: OctetsValue(2, 2),
}


def make_tlv(tag: TlvTag, value: int | str | bytes) -> Tlv:
    """The parameter `tag` with `value` written as the tag's type wants it. Raises EncodeError where it does not fit."""
    match VALUE_TYPES[tag], value:
        case IntegerValue(octets=octets), int():
            if not 0 <= value < 1 << (8 * octets):
                raise EncodeError(tag.name.lower(), f"must be 0 to {(1 << (8 * octets)) - 1}")
            return Tlv(int(tag), value.to_bytes(octets, "big"))
        case TextValue(smallest=smallest, largest=largest), str():
            if "\0" in value or not value.isascii():
                raise EncodeError(tag.name.lower(), "must be ASCII without NUL")
            return _sized(tag, value.encode("ascii") + b"\0", smallest, largest)
        case OctetsValue(smallest=smallest, largest=largest), bytes():
            return _sized(tag, value, smallest, largest)
        case kind, _:
            raise EncodeError(tag.name.lower(), f"{type(value).__name__} is not a {type(kind).__name__}")


def _sized(tag: TlvTag, value: bytes, smallest: int, largest: int) -> Tlv:
    if not smallest <= len(value) <= largest:
        raise EncodeError(tag.name.lower(), f"must be {smallest} to {largest} octets")
    return Tlv(int(tag), value)


def find_tlv(tlvs: tuple[Tlv, ...], tag: TlvTag) -> int | str | bytes | None:
    """The value of the first parameter `tag` by the tag's type (int, str or bytes), or None if there is none.

    Lenient in what it takes: an integer may be up to eight octets wide, a string may lack its NUL. What is wider is no
    integer, and as good as not there.
    """
    for tlv in tlvs:
        if tlv.tag == tag:
            match VALUE_TYPES[tag]:
                case IntegerValue():
                    return int.from_bytes(tlv.value, "big") if len(tlv.value) <= _WIDEST_INTEGER else None
                case TextValue():
                    return tlv.value.partition(b"\0")[0].decode("latin-1")
                case OctetsValue():
                    return tlv.value
    return None


def encode_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """All of `tlvs` as they go on the wire. Raises struct.error where a tag or a length does not fit 16 bits."""
    pack = _TAG_AND_LENGTH.pack
    return b"".join([pack(tlv.tag, len(tlv.value)) + tlv.value for tlv in tlvs])


def decode_tlvs(data: bytes, at: int) -> tuple[Tlv, ...]:
    """The parameters from `at` to the end of `data`. Raises DecodeError where they do not end where the PDU does."""
    size = len(data)
    unpack = _TAG_AND_LENGTH.unpack_from
    tlvs = []
    while at < size:
        start = at + _TAG_AND_LENGTH_BYTES
        if start > size:
            raise DecodeError("tlvs", "octets after the last parameter", CommandStatus.ESME_RINVOPTPARSTREAM)
        tag, length = unpack(data, at)
        at = start + length
        if at > size:
            raise DecodeError(f"tlv {tag:#06x}", "longer than the PDU", CommandStatus.ESME_RINVPARLEN)
        tlvs.append(Tlv(tag, data[start:at]))
    return tuple(tlvs)


def decode_tlvs_leniently(data: bytes, at: int) -> tuple[Tlv, ...]:
    """The parameters from `at` on, or none if they are damaged: for responses, which cannot be refused.

    What a response is about stands before them, and must not be lost with a damaged tail.
    """
    try:
        return decode_tlvs(data, at)
    except DecodeError:
        return ()
