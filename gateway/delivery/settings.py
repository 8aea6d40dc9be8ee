"""What an operator may set about carriers, binds and the way messages are handed over."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from gateway.message import Category

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z",
        description="1 to 32 letters A to Z, digits and . _ -, with a letter or digit first",
    ),
]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=2_592_000)]


class OnDoubt(StrEnum):
    """What to do with a part whose bytes may have left and whose answer never came."""

    RESEND = "resend"  # a second copy rather than none
    WAIT = "wait"  # none rather than a second copy


class BindMode(StrEnum):
    TRANSCEIVER = "transceiver"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


class NumberFormat(StrEnum):
    """How a carrier wants destination addresses."""

    COUNTRY = "86"  # 8613800138000, TON 1, NPI 1
    PLUS = "+86"  # +8613800138000, TON 1, NPI 1
    NATIONAL = "national"  # 13800138000, TON 2, NPI 1


class Alphabet(StrEnum):
    """What `data_coding` 0, "the SMSC's default alphabet", is at a carrier. Other text goes as UCS-2."""

    GSM7 = "gsm7"  # GSM 03.38, a septet an octet
    LATIN1 = "latin1"  # ISO 8859-1
    UCS2 = "ucs2"  # not to be used: everything goes as UCS-2


class LongText(StrEnum):
    """How a text that does not fit in one short message goes to a carrier. Never in two of these ways at once."""

    UDH_8 = "udh_8"  # parts with a user data header, reference of 8 bits
    UDH_16 = "udh_16"  # the same, reference of 16 bits
    SAR = "sar"  # parts with the sar_ TLVs
    MESSAGE_PAYLOAD = "message_payload"  # whole, in one submit_sm: the carrier cuts it


class InterfaceVersion(StrEnum):
    """Which SMPP a bind says that it speaks. What goes over it is the same; an SMSC may do more for 5.0."""

    V3_4 = "3.4"
    V5_0 = "5.0"


class TlsVersion(StrEnum):
    """The oldest version of TLS that is spoken. Those before 1.2 are broken, and never are."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class MessageIdForm(StrEnum):
    """How the message id of a receipt relates to that of the submit_sm_resp."""

    SAME = "same"  # exactly; failing that, but for case and leading zeros
    HEX_IN_RESPONSE = "hex_in_response"  # hexadecimal in the response, decimal in the receipt
    HEX_IN_RECEIPT = "hex_in_receipt"


class BindSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One connection to an SMSC."""

    name: Name
    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    system_id: Annotated[str, msgspec.Meta(max_length=15)]  # SMPP 3.4, section 4.1.1: 16 octets with the NUL
    password: Annotated[str, msgspec.Meta(max_length=8)]
    system_type: Annotated[str, msgspec.Meta(max_length=12)] = ""
    mode: BindMode = BindMode.TRANSCEIVER
    interface_version: InterfaceVersion = InterfaceVersion.V3_4
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    tls: bool = False
    tls_ca_file: str = ""  # empty: the system's
    tls_server_name: Annotated[str, msgspec.Meta(max_length=253)] = ""  # empty: host
    tls_minimum_version: TlsVersion = TlsVersion.TLS_1_2
    tls_certificate_file: str = ""  # ours; empty: none is shown
    tls_key_file: str = ""  # empty: the key is in tls_certificate_file
    tls_key_password: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    enquire_link_seconds: Seconds = 30.0
    connect_timeout_seconds: Seconds = 10.0
    reconnect_first_seconds: Seconds = 0.5
    reconnect_longest_seconds: Seconds = 30.0


class WhenPaused(StrEnum):
    """What becomes of the queue of a carrier while an operator has paused it."""

    KEEP = "keep"  # it waits there, and expires there
    MOVE = "move"  # it goes by others


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SMSC account: a pool of binds that share one rate."""

    name: Name
    networks: tuple[Literal["cmcc", "cucc", "ctcc", "cbn", "satnet", "unknown", "other"], ...] = ()
    signatures: tuple[str, ...] | None = None
    throughput: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100  # segments a second
    source_throughput: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0  # from one source number; 0: no limit
    otp_share: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.2  # of rate and window, kept for one-time passwords
    source: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,20}\Z", description="at most 20 digits")] = ""
    number_format: NumberFormat = NumberFormat.COUNTRY
    alphabet: Alphabet = Alphabet.GSM7
    long_text: LongText = LongText.UDH_8
    adds_signature: bool = False  # it writes the signature itself: the text goes without
    message_id: MessageIdForm = MessageIdForm.SAME
    response_timeout_seconds: Seconds = 10.0
    receipt_deadline_seconds: Seconds = 259_200.0
    receipt_overdue_seconds: Seconds = 3_600.0  # counted as overdue from then on, by a metric
    price: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] | None = None  # of a segment
    receipt_codes: str = ""  # a CSV file; empty: the one that comes with the gateway
    query_sm: bool = False  # it answers query_sm: it is asked for what became of messages whose receipt is overdue
    cancel_sm: bool = False  # it takes cancel_sm, for messages that it has not delivered yet
    when_paused: WhenPaused = WhenPaused.KEEP
    user_message_reference: bool = True  # send TLV 0x0204, so that receipts can be told apart without an id
    bind: tuple[BindSettings, ...] = ()


class CategorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for all messages of one category."""

    on_doubt: OnDoubt
    valid_for_seconds: Annotated[int, msgspec.Meta(ge=1, le=172_800)]
    hours: tuple[str, ...] = ()  # when they may go, as `gateway.policy.windows` has it; none: always
    retry_undelivered: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0  # times, after a receipt of a passing failure
    resend_overdue: bool = False  # by another carrier, once, when no receipt came in time


class DeliverySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the machinery behind the store."""

    lane_window: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 10_000  # queued messages in memory, each level
    awaiting_in_memory: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 100_000  # newest without a receipt
    unmatched_receipts: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 100_000
    unmatched_receipt_seconds: Seconds = 86_400.0
    sweep_seconds: Seconds = 10.0  # how often validity and receipt deadlines are looked at
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20  # submits of one part that were refused for now
    attempts_before_next: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3  # then the next carrier
    move_after_seconds: Seconds = 5.0  # what waits for a carrier that is down so long goes by others
    copies: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3  # of one part that may have left without an answer
    retry_first_seconds: Seconds = 0.5
    retry_longest_seconds: Seconds = 60.0
    reassembly_seconds: Seconds = 300.0  # how long a part of a subscriber's message waits for the others
    reassembly_bytes: Annotated[int, msgspec.Meta(ge=65_536, le=1 << 32)] = 8 << 20  # what they may take, each carrier
    inbound_waiting: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000  # messages not written yet; then no more
    inbound_repeat_seconds: Seconds = 600.0  # how long a carrier may send again what we answered and it did not hear
    replies_in_memory: Annotated[int, msgspec.Meta(ge=2, le=100_000_000)] = 200_000  # last messages by source and phone
    reply_seconds: Seconds = 2_592_000.0  # how long after a message a reply still belongs to it
    drain_seconds: Seconds = 30.0  # how long a stop waits for answers that are under way


def default_categories() -> dict[Category, CategorySettings]:
    """The settings of the mainland profile: one copy of marketing at most, one of the others at least."""
    return {
        Category.OTP: CategorySettings(on_doubt=OnDoubt.RESEND, valid_for_seconds=300),
        Category.NOTIFICATION: CategorySettings(on_doubt=OnDoubt.RESEND, valid_for_seconds=86_400),
        Category.MARKETING: CategorySettings(on_doubt=OnDoubt.WAIT, valid_for_seconds=86_400, hours=("08:00-20:00",)),
    }
