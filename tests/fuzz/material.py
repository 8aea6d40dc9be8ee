"""What the fuzzer begins with: valid PDUs, texts and receipts, drawn from a seed, and damage done to them."""

import random
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from gateway.smpp import Body, DistributionList, Pdu, SmeAddress, Tlv, TlvTag, UnsuccessSme, encode
from gateway.smpp.layouts import declared_fields
from gateway.smpp.pdus import BODY_TYPES
from gateway.smpp.wire import Counted, CString, OptionalParameters, Records, UInt

CORPUS: Final = tomllib.loads((Path(__file__).parents[1] / "smpp" / "receipts.toml").read_text(encoding="utf-8"))
RECEIPTS: Final = [
    bytes.fromhex(shape.get("hex", ""))
    + shape.get("text", "").encode("latin-1")
    + shape.get("ucs2", "").encode("utf-16-be")
    for shape in CORPUS["receipt"]
]
_TAGS: Final = [*map(int, TlvTag), 0x1403, 0xFFFF]
# Where limits, pairs and alphabets meet.
_CHARACTERS: Final = ["ab 1", "a^€@[", "aéÿ\u00a0", "水电气", "水😀a", "\x00\x1b\ud7ff\uffff"]
_COMMAND_LENGTH: Final = 4  # octets


def any_body(chance: random.Random, body_type: type[Body] | None = None) -> Body:
    """A body that fits the wire."""
    body_type = body_type or chance.choice(BODY_TYPES)
    return body_type(**{name: _value(chance, name, kind) for name, kind in _fields(body_type)})


def any_pdu(chance: random.Random) -> Pdu:
    """A PDU that may be sent; one that loses its body when refused is not refused."""
    body = any_body(chance)
    refused = chance.random() < 0.2 and not body.bare_when_refused
    return Pdu(chance.choice([1, 0x58, 0x400, 0xFFFF_FFFF]) if refused else 0, chance.randrange(1 << 31), body)


def any_text(chance: random.Random, longest: int = 700) -> str:
    """A text in one alphabet, or in a mixture."""
    alphabet = chance.choice([*_CHARACTERS, "".join(_CHARACTERS)])
    return "".join(chance.choices(alphabet, k=chance.randrange(1, longest)))


def some_pdus(chance: random.Random) -> list[bytes]:
    """A few PDUs as they go on the wire."""
    return [encode(any_pdu(chance)) for _ in range(chance.randrange(1, 7))]


def damaged(chance: random.Random, data: bytes) -> bytes:
    """`data` with some of it changed, put in, left out, doubled or cut off."""
    octets = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(6):
            case 0 if at < len(octets):
                octets[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(octets):
                octets[at] = chance.choice([0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF])
            case 2:
                octets[at:at] = chance.randbytes(chance.choice([1, 2, 4, 16]))
            case 3:
                del octets[at : at + chance.choice([1, 2, 4, 16])]
            case 4:
                octets[at:at] = octets[at : at + chance.choice([1, 4, 21, 65])]
            case _:
                del octets[at:]
    return bytes(octets)


def relengthened(data: bytes) -> bytes:
    """`data` with the command_length that it has, so that its damage is found behind its header."""
    return len(data).to_bytes(_COMMAND_LENGTH, "big") + data[_COMMAND_LENGTH:]


def chunks(chance: random.Random, data: bytes) -> list[bytes]:
    """`data` cut anywhere; at times into single octets."""
    longest = chance.choice([1, 3, 16, 200, len(data) + 1])
    pieces, at = [], 0
    while at < len(data):
        size = chance.randint(1, longest)
        pieces.append(data[at : at + size])
        at += size
    return pieces


@cache
def _fields(body_type: type[Body]) -> list[tuple[str, Any]]:
    return [*declared_fields(body_type).items()]


def _value(chance: random.Random, name: str, kind: object) -> Any:
    match kind:
        case UInt():
            return chance.choice([0, 1, 4, 8, 0x40, chance.randrange(256)])
        case CString(size=size):
            return _string(chance, size)
        case Counted(size=size):
            return chance.randbytes(chance.choice([0, 1, 12, size]))
        case OptionalParameters():
            return tuple(
                Tlv(chance.choice(_TAGS), chance.randbytes(chance.choice([0, 1, 2, 3, 9, 66, 300])))
                for _ in range(chance.choice([0, 0, 1, 4]))
            )
        case Records() if name == "dest_addresses":
            return tuple(_destination(chance) for _ in range(chance.choice([1, 2, 254])))
        case Records():
            return tuple(_unsuccess(chance) for _ in range(chance.choice([0, 1, 254])))
    raise AssertionError(kind)


def _string(chance: random.Random, size: int) -> str:
    octets = bytes(chance.choices(range(1, 256), k=chance.choice([0, 1, size // 2, size - 1])))
    return octets.decode("latin-1")


def _destination(chance: random.Random) -> SmeAddress | DistributionList:
    if chance.random() < 0.3:
        return DistributionList(dl_name=_string(chance, 21))
    return SmeAddress(dest_addr_ton=chance.randrange(256), dest_addr_npi=1, destination_addr=_string(chance, 21))


def _unsuccess(chance: random.Random) -> UnsuccessSme:
    return UnsuccessSme(destination_addr=_string(chance, 21), error_status_code=chance.randrange(1 << 32))
