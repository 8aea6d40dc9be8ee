"""The tables of `config/words`, as text and as what they say. How they were made: the README beside them."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

FILES: Final = ("traditional", "lookalikes", "pinyin", "splits")  # each with the ending .tsv


class TableError(ValueError):
    """A table that cannot be used: its name, line and rule."""


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of the files, so that whoever builds a lexicon and whoever searches with it read the same."""

    traditional: str
    lookalikes: str
    pinyin: str
    splits: str

    def simplified_forms(self) -> dict[str, str]:
        """Each traditional character, and its simplified form. Raises TableError."""
        return dict(_rows("traditional", self.traditional))

    def latin_letters(self) -> dict[str, str]:
        """Each character that looks like a Latin letter, and that letter. Raises TableError."""
        return dict(_rows("lookalikes", self.lookalikes))

    def syllables(self) -> dict[str, str]:
        """Each syllable of pinyin without tone, and the characters that are read so. Raises TableError."""
        return dict(_rows("pinyin", self.pinyin))

    def pieces(self) -> Mapping[str, tuple[str, ...]]:
        """Each character, and the ways in which it falls apart. Raises TableError."""
        return {character: tuple(ways.split(" ")) for character, ways in _rows("splits", self.splits)}


def _rows(name: str, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        key, tab, value = line.partition("\t")
        if not (key and tab and value):
            raise TableError(f"{name}.tsv: line {number}: must be two columns with a tab between")
        yield key, value
