"""What fits in a short message: codings, parts and their headers. Pure, and of use on its own."""

from gateway.text.coding import Coding, choose_coding, decode, encode
from gateway.text.errors import TextError, TooManyParts, UnencodableText
from gateway.text.joining import InboundPart, InboundText, PartNumber, Reassembler, join, split_header
from gateway.text.parts import MAX_PARTS, UDH_INDICATOR, Segments, count_parts, cut, units

__all__ = [
    "MAX_PARTS",
    "UDH_INDICATOR",
    "Coding",
    "InboundPart",
    "InboundText",
    "PartNumber",
    "Reassembler",
    "Segments",
    "TextError",
    "TooManyParts",
    "UnencodableText",
    "choose_coding",
    "count_parts",
    "cut",
    "decode",
    "encode",
    "join",
    "split_header",
    "units",
]
