"""From a record to the submit_sm of each of its parts. Pure.

Everything here follows from the message and the carrier's settings, so that a part sent again, after a restart too, has
the same reference.
"""

from functools import lru_cache
from typing import Final

from gateway.delivery.settings import CarrierSettings, NumberFormat
from gateway.delivery.wording import Wording, spread
from gateway.message import Message, Milliseconds
from gateway.numbers import MAINLAND_PREFIX
from gateway.smpp import CancelSm, QuerySm, SubmitSm, Tlv, TlvTag

_TON_UNKNOWN: Final = 0
_TON_INTERNATIONAL: Final = 1
_TON_NATIONAL: Final = 2
_NPI_UNKNOWN: Final = 0
_NPI_ISDN: Final = 1
_FINAL_RECEIPT_WANTED: Final = 1  # SMPP 3.4, section 5.2.17
_LONGEST_VALIDITY_SECONDS: Final = 99 * 86_400


def submit_sm(
    message: Message, wording: Wording, n: int, settings: CarrierSettings, *, now: Milliseconds
) -> tuple[SubmitSm, int]:
    """The submit_sm of part `n`, and the user_message_reference that it carries (0: none)."""
    ton, npi, destination = _destination(message.to, settings.number_format)
    reference = user_message_reference(message, n) if settings.user_message_reference else 0
    tlvs = wording.tlvs_of(n)
    if reference:
        tlvs = (Tlv(TlvTag.USER_MESSAGE_REFERENCE, reference.to_bytes(2, "big")), *tlvs)
    body = SubmitSm(
        source_addr_ton=_TON_UNKNOWN,
        source_addr_npi=_NPI_UNKNOWN,
        source_addr=source_address(message, settings),
        dest_addr_ton=ton,
        dest_addr_npi=npi,
        destination_addr=destination,
        esm_class=wording.esm_class,
        validity_period=validity_period(message.expires_at - now),
        registered_delivery=_FINAL_RECEIPT_WANTED,
        data_coding=wording.data_coding,
        short_message=wording.short_messages[n],
        tlvs=tlvs,
    )
    return body, reference


def cancel_sm(message: Message, carrier_message_id: str, settings: CarrierSettings) -> CancelSm:
    """Cancel one part by the id that its carrier gave it. SMPP 3.4, section 4.9.1: source as it was submitted."""
    assert carrier_message_id, "without an id everything from this source to that number would be cancelled"
    return CancelSm(
        message_id=carrier_message_id,
        source_addr_ton=_TON_UNKNOWN,
        source_addr_npi=_NPI_UNKNOWN,
        source_addr=source_address(message, settings),
    )


def query_sm(message: Message, carrier_message_id: str, settings: CarrierSettings) -> QuerySm:
    """Ask for one part by the id that its carrier gave it. SMPP 3.4, section 4.8.1: source as it was submitted."""
    return QuerySm(
        message_id=carrier_message_id,
        source_addr_ton=_TON_UNKNOWN,
        source_addr_npi=_NPI_UNKNOWN,
        source_addr=source_address(message, settings),
    )


def user_message_reference(message: Message, n: int) -> int:
    """1 to 65,535, the same whenever it is computed, and different for the parts of one message."""
    return (spread(message.id) + n) % 0xFFFF + 1


def source_address(message: Message, settings: CarrierSettings) -> str:
    """The number that a message leaves with."""
    return full_source(settings.source, message.sender)


def full_source(base: str, sender: str) -> str:
    """The sender asked for if it begins with the carrier's own number, else appended to that; 20 digits at most."""
    if sender.startswith(base):
        return sender or base
    return (base + sender)[:20]


def validity_period(milliseconds: Milliseconds) -> str:
    """A relative time (SMPP 3.4, section 7.1.1.2): no time zone matters. At least a second."""
    return _relative_time(min(max(1, milliseconds // 1000), _LONGEST_VALIDITY_SECONDS))


@lru_cache(maxsize=4096)  # most messages of a moment have the same few
def _relative_time(seconds: int) -> str:
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"


def _destination(e164: str, form: NumberFormat) -> tuple[int, int, str]:
    """(TON, NPI, address) as the carrier wants it."""
    if form is NumberFormat.COUNTRY:
        return _TON_INTERNATIONAL, _NPI_ISDN, e164[1:]
    if form is NumberFormat.PLUS:
        return _TON_INTERNATIONAL, _NPI_ISDN, e164
    if form is NumberFormat.NATIONAL and e164.startswith(MAINLAND_PREFIX):
        return _TON_NATIONAL, _NPI_ISDN, e164.removeprefix(MAINLAND_PREFIX)
    return _TON_INTERNATIONAL, _NPI_ISDN, e164.removeprefix("+")
