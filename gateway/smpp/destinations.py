"""The records of submit_multi: where it goes, and where it could not (SMPP 3.4, sections 4.5.1.1 and 4.5.2.1)."""

from typing import Final

import msgspec

from .errors import DecodeError
from .statuses import CommandStatus, name_status
from .wire import CString, Records, cut_off, decode_cstring, encode_cstring

_SME_ADDRESS_FLAG: Final = 1
_DISTRIBUTION_LIST_FLAG: Final = 2

# The specification allows 254, though the count octet could say 255.
MOST_DESTINATIONS: Final = 254

_ADDRESS: Final = CString(21, CommandStatus.ESME_RINVDSTADR)
_LIST_NAME: Final = CString(21, CommandStatus.ESME_RINVDLNAME)


class SmeAddress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A destination that is a number."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str


class DistributionList(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A destination that is a list which the SMSC keeps."""

    dl_name: str


class UnsuccessSme(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A destination that the message was not taken for, and the command_status that says why."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str
    error_status_code: int


def _encode_destinations(destinations: tuple[SmeAddress | DistributionList, ...]) -> bytes:
    if not 1 <= len(destinations) <= MOST_DESTINATIONS:
        raise ValueError(f"must be 1 to {MOST_DESTINATIONS} destinations")
    pieces = [bytes([len(destinations)])]
    for destination in destinations:
        match destination:
            case SmeAddress():
                pieces.append(bytes([_SME_ADDRESS_FLAG]) + _encode_address(destination))
            case DistributionList(dl_name=dl_name):
                pieces.append(bytes([_DISTRIBUTION_LIST_FLAG]) + encode_cstring(dl_name, _LIST_NAME, "dl_name"))
    return b"".join(pieces)


def _decode_destinations(data: bytes, at: int) -> tuple[tuple[SmeAddress | DistributionList, ...], int]:
    if at >= len(data):
        raise cut_off("number_of_dests")
    count, at = data[at], at + 1
    if not count:
        raise DecodeError("number_of_dests", "must not be 0", CommandStatus.ESME_RINVNUMDESTS)
    destinations: list[SmeAddress | DistributionList] = []
    for _ in range(count):
        if at >= len(data):
            raise cut_off("dest_flag")
        match data[at]:
            case 1:  # _SME_ADDRESS_FLAG
                ton, npi, address, at = _decode_address(data, at + 1)
                destinations.append(SmeAddress(dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=address))
            case 2:  # _DISTRIBUTION_LIST_FLAG
                dl_name, at = decode_cstring(data, at + 1, _LIST_NAME, "dl_name")
                destinations.append(DistributionList(dl_name=dl_name))
            case flag:
                raise DecodeError("dest_flag", f"must be 1 or 2, is {flag}", CommandStatus.ESME_RINVDESTFLAG)
    return tuple(destinations), at


def _encode_unsuccess(unsuccess: tuple[UnsuccessSme, ...]) -> bytes:
    if len(unsuccess) > MOST_DESTINATIONS:
        raise ValueError(f"must be at most {MOST_DESTINATIONS} destinations")
    pieces = [bytes([len(unsuccess)])]
    for sme in unsuccess:
        if not 0 <= sme.error_status_code <= 0xFFFF_FFFF:
            raise ValueError("error_status_code must fit 32 bits")
        pieces.append(_encode_address(sme) + sme.error_status_code.to_bytes(4, "big"))
    return b"".join(pieces)


def _decode_unsuccess(data: bytes, at: int) -> tuple[tuple[UnsuccessSme, ...], int]:
    if at >= len(data):
        raise cut_off("no_unsuccess")
    count, at = data[at], at + 1
    unsuccess = []
    for _ in range(count):
        ton, npi, address, at = _decode_address(data, at)
        if at + 4 > len(data):
            raise cut_off("error_status_code")
        status = name_status(int.from_bytes(data[at : at + 4], "big"))
        at += 4
        unsuccess.append(
            UnsuccessSme(dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=address, error_status_code=status)
        )
    return tuple(unsuccess), at


def _encode_address(address: SmeAddress | UnsuccessSme) -> bytes:
    if not (0 <= address.dest_addr_ton <= 0xFF and 0 <= address.dest_addr_npi <= 0xFF):
        raise ValueError("dest_addr_ton and dest_addr_npi must be 0 to 255")
    number = encode_cstring(address.destination_addr, _ADDRESS, "destination_addr")
    return bytes([address.dest_addr_ton, address.dest_addr_npi]) + number


def _decode_address(data: bytes, at: int) -> tuple[int, int, str, int]:
    """TON, NPI, number, and where they end."""
    if at + 2 > len(data):
        raise cut_off("dest_addr_npi")
    address, end = decode_cstring(data, at + 2, _ADDRESS, "destination_addr")
    return data[at], data[at + 1], address, end


DESTINATIONS: Final = Records(_encode_destinations, _decode_destinations)
UNSUCCESS: Final = Records(_encode_unsuccess, _decode_unsuccess)
