"""The numbers of SMPP 3.4 (section 5) that are not error codes, by name, with the additions of 5.0.

What a peer sends need not be among them: a field that is read stays a plain `int`, which compares equal to its name.
"""

from enum import IntEnum, IntFlag
from typing import Final

# The highest bit of a command_id says that the PDU is a response (SMPP 3.4, section 5.1.2).
RESPONSE_BIT: Final = 0x8000_0000

# Sequence numbers run from 1 to here and begin again (SMPP 3.4, section 5.1.4).
LAST_SEQUENCE_NUMBER: Final = 0x7FFF_FFFF

VERSION_3_3: Final = 0x33
VERSION_3_4: Final = 0x34
VERSION_5_0: Final = 0x50


class CommandId(IntEnum):
    """What a PDU is. SMPP 3.4, section 5.1.2.1."""

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER = 0x0000_0001
    BIND_RECEIVER_RESP = 0x8000_0001
    BIND_TRANSMITTER = 0x0000_0002
    BIND_TRANSMITTER_RESP = 0x8000_0002
    QUERY_SM = 0x0000_0003
    QUERY_SM_RESP = 0x8000_0003
    SUBMIT_SM = 0x0000_0004
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM = 0x0000_0005
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND = 0x0000_0006
    UNBIND_RESP = 0x8000_0006
    REPLACE_SM = 0x0000_0007
    REPLACE_SM_RESP = 0x8000_0007
    CANCEL_SM = 0x0000_0008
    CANCEL_SM_RESP = 0x8000_0008
    BIND_TRANSCEIVER = 0x0000_0009
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    OUTBIND = 0x0000_000B
    ENQUIRE_LINK = 0x0000_0015
    ENQUIRE_LINK_RESP = 0x8000_0015
    SUBMIT_MULTI = 0x0000_0021
    SUBMIT_MULTI_RESP = 0x8000_0021
    ALERT_NOTIFICATION = 0x0000_0102
    DATA_SM = 0x0000_0103
    DATA_SM_RESP = 0x8000_0103

    @property
    def is_response(self) -> bool:
        """Whether it answers another PDU; a generic_nack does."""
        return bool(self & RESPONSE_BIT)


class Ton(IntEnum):
    """Type of number. SMPP 3.4, section 5.2.5."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER_NUMBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


class Npi(IntEnum):
    """Numbering plan indicator. SMPP 3.4, section 5.2.6."""

    UNKNOWN = 0
    ISDN = 1
    DATA = 3
    TELEX = 4
    LAND_MOBILE = 6
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    INTERNET = 14
    WAP_CLIENT_ID = 18


class EsmClass(IntFlag):
    """Message mode (bits 1-0), type (bits 5-2) and GSM features (bits 7-6). SMPP 3.4, section 5.2.12."""

    DEFAULT = 0x00
    DATAGRAM = 0x01
    FORWARD = 0x02
    STORE_AND_FORWARD = 0x03
    DELIVERY_RECEIPT = 0x04
    DELIVERY_ACKNOWLEDGEMENT = 0x08
    MANUAL_ACKNOWLEDGEMENT = 0x10
    CONVERSATION_ABORT = 0x18
    INTERMEDIATE_NOTIFICATION = 0x20
    UDHI = 0x40
    REPLY_PATH = 0x80


# The bits of esm_class that hold the message type.
MESSAGE_TYPE_MASK: Final = 0x3C


class RegisteredDelivery(IntFlag):
    """What the sender wants to hear of its message. SMPP 3.4, section 5.2.17."""

    NONE = 0x00
    RECEIPT = 0x01
    RECEIPT_ON_FAILURE = 0x02
    RECEIPT_ON_SUCCESS = 0x03  # reserved in 3.4, given this meaning in 5.0
    SME_DELIVERY_ACKNOWLEDGEMENT = 0x04
    SME_MANUAL_ACKNOWLEDGEMENT = 0x08
    INTERMEDIATE_NOTIFICATION = 0x10


class DataCoding(IntEnum):
    """How the octets of a short message are to be read. SMPP 3.4, section 5.2.19."""

    SMSC_DEFAULT = 0x00
    IA5 = 0x01
    OCTETS_1 = 0x02
    LATIN_1 = 0x03
    OCTETS = 0x04
    JIS = 0x05
    CYRILLIC = 0x06
    LATIN_HEBREW = 0x07
    UCS2 = 0x08
    PICTOGRAM = 0x09
    MUSIC_CODES = 0x0A
    EXTENDED_KANJI_JIS = 0x0D
    KS_C_5601 = 0x0E


class MessageState(IntEnum):
    """Where the SMSC says that a message is. SMPP 3.4, section 5.2.28; SCHEDULED and SKIPPED are of 5.0."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9

    @property
    def is_final(self) -> bool:
        """Whether the message will not leave this state again."""
        return self not in {MessageState.SCHEDULED, MessageState.ENROUTE, MessageState.ACCEPTED}
