"""Codings of a short message: characters to octets and back.

GSM 7-bit text goes unpacked over SMPP, one septet an octet; packing is the carrier's. UCS-2 means UTF-16BE in practice,
so a character outside the Basic Multilingual Plane is a surrogate pair and takes two code units.
"""

import codecs
import re
from enum import IntEnum
from typing import Final

from gateway.text.errors import UnencodableText


class Coding(IntEnum):
    """How a text is written; the values are those of SMPP's `data_coding`. SMPP 3.4, section 5.2.19."""

    GSM7 = 0
    LATIN1 = 3
    CYRILLIC = 6  # ISO 8859-5
    HEBREW = 7  # ISO 8859-8
    UCS2 = 8


_CODECS: Final = {Coding.LATIN1: "latin-1", Coding.CYRILLIC: "iso8859-5", Coding.HEBREW: "iso8859-8"}
REPLACEMENT: Final = "\ufffd"
ESCAPE: Final = 0x1B

# GSM 03.38 (3GPP TS 23.038), section 6.2.1: the default alphabet, by code. The escape stands for itself.
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# Section 6.2.1.1: the extension table. Each takes two septets, the escape and its code.
EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

# The escape is a code, not a character: a text that contains U+001B is not GSM text.
_TO_GSM: Final = {ord(character): code for code, character in enumerate(BASIC) if code != ESCAPE} | {
    ord(character): bytes((ESCAPE, code)) for code, character in EXTENSION.items()
}
_FROM_GSM: Final = BASIC + REPLACEMENT * 128
# What an escape and the character after it mean, keyed by that character as the default alphabet has it.
_EXTENDED: Final = {BASIC[code]: character for code, character in EXTENSION.items()} | {
    "": REPLACEMENT,
    "\x1b": REPLACEMENT,
}
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)
_GSM_TEXT: Final = re.compile(f"[{re.escape(''.join(map(chr, _TO_GSM)))}]*")
_LATIN1_TEXT: Final = re.compile("[\x00-\xff]*")


def choose_coding(text: str, *, default: Coding = Coding.GSM7) -> Coding:
    """Return the coding that `text` fits in: the carrier's `default` alphabet (GSM 7-bit or Latin-1), else UCS-2."""
    if default is Coding.UCS2:
        return default
    fits = _GSM_TEXT if default is Coding.GSM7 else _LATIN1_TEXT
    return default if fits.fullmatch(text) else Coding.UCS2


def encode(text: str, coding: Coding) -> bytes:
    """Return `text` in `coding`, as `short_message` carries it. Raises UnencodableText."""
    try:
        if coding is Coding.UCS2:
            return text.encode("utf-16-be")
        if coding is Coding.GSM7:
            return codecs.charmap_encode(text, "strict", _TO_GSM)[0]
        return text.encode(_CODECS[coding])
    except UnicodeEncodeError as error:
        position = error.start
    raise UnencodableText(coding.name, position)  # outside the handler: its context would hold the text


def decode(data: bytes, coding: Coding) -> str:
    """Return the text of `data`, which a peer sent. What has no meaning in `coding` becomes U+FFFD; nothing raises."""
    if coding is Coding.UCS2:
        return data.decode("utf-16-be", "replace")
    if coding is not Coding.GSM7:
        return data.decode(_CODECS[coding], "replace")
    text = codecs.charmap_decode(data, "strict", _FROM_GSM)[0]
    return _ESCAPED.sub(_extended, text) if "\x1b" in text else text


def _extended(escaped: re.Match[str]) -> str:
    """Return the character of an escape pair; in an unknown pair the escape counts for nothing (section 6.2.1.1)."""
    character = escaped[1]
    return _EXTENDED.get(character, character)
