"""What an operator may set about words."""

from typing import Literal

import msgspec


class WordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list of words."""

    file: str = ""  # a text file, one word a line; empty: the one that comes with the gateway
    level: Literal["block", "review", "tag", "allow"] = "block"  # of words for which the file says none
    disguised: Literal["review", "tag", "off"] = "tag"  # of words by their sound or in pieces, at most
