"""Who wrote, and to whom: the phone and the source numbers that the addresses of a carrier may mean. Pure."""

from collections.abc import Iterator
from typing import Final

from gateway.delivery.awaiting import digits
from gateway.delivery.settings import CarrierSettings
from gateway.numbers import InvalidNumber, normalise

_INTERNATIONAL: Final = 1  # type of number; SMPP 3.4, section 5.2.5
_COUNTRY_CODE: Final = "86"


def phones_of(address: str, ton: int) -> tuple[str, ...]:
    """The numbers in E.164 that an address may be, the likeliest first; none for a name or a short number.

    What a carrier says is international is so, unless that makes no sense: 13105551234 is American then, and a mobile
    number of mainland China otherwise. Some say it of everything, so the other reading stands second.
    """
    spellings = (f"+{address}", address) if ton == _INTERNATIONAL else (address, f"+{address}")
    return tuple(dict.fromkeys(phone for spelling in spellings for phone in _normalised(spelling)))


def sources_of(address: str, carrier: CarrierSettings) -> tuple[str, ...]:
    """The source numbers, as `source_key` has them, that messages may have left with whose replies come here."""
    number = digits(address)
    return (number, number.removeprefix(_COUNTRY_CODE), source_key("", carrier.name))


def source_key(source: str, carrier: str) -> str:
    """A source number as it is compared. What left without one has the number that its carrier gave it."""
    return digits(source) or f"@{carrier}"


def _normalised(spelling: str) -> Iterator[str]:
    try:
        yield normalise(spelling).e164
    except InvalidNumber:
        return
