"""What a character is under its disguise: width, case, accents, script, circles and the like taken off.

    Ｋ K ᴷ к ⓚ 🅚 𝓚 -> k        發 -> 发        零 -> 零        * 、 zero width, emoji -> nothing

Signs and spaces come to nothing at all, for they are what is put between the characters of a word.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

from gateway.words.tables import Tables

# Where characters stand that are others in disguise, or nothing at all. Elsewhere are ideographs and the syllables of
# Hangul and Yi, which are what they are but for traditional forms, and scripts that nobody lives to read.
DISGUISES: Final = (
    range(0x3400),
    range(0xA490, 0xAC00),
    range(0xD7A4, 0x10000),
    range(0x1D400, 0x1FC00),
    range(0xE0000, 0xE1000),
)
# Letters by their category, and empty to the eye: the Hangul fillers.
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0")
# Marks over any character whatever. Those of one script (vowels of Hindi, Thai …) are part of its words.
_MARKS: Final = (
    (0x0300, 0x036F),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE2F),
    (0xE0100, 0xE01EF),
)
# Letters A to Z in shapes that Unicode does not call compatible with them: 🅐, 🅰, and the halves of flags.
_SHAPED_ALPHABETS: Final = (0x1F150, 0x1F170, 0x1F1E6)


class Folding:
    """Folds characters, each by itself."""

    def __init__(self, tables: Tables) -> None:
        self.traditional: Mapping[str, str] = tables.simplified_forms()
        self._latin: Mapping[str, str] = tables.latin_letters()

    def fold(self, character: str) -> str:
        """What one character is: usually one, none for what only fills gaps, several for a few signs such as ㎏."""
        number = ord(character)
        if not any(number in each for each in DISGUISES):
            return self.traditional.get(character, character)
        for first in _SHAPED_ALPHABETS:
            if 0 <= number - first < 26:
                return chr(ord("a") + number - first)
        if character in _FILLERS:
            return ""
        return "".join(map(self._fold_plain, unicodedata.normalize("NFKC", character)))

    def _fold_plain(self, character: str) -> str:
        """The same of a character that stands for itself."""
        if character.isascii() and character.isalnum():
            return character.lower()
        digit = unicodedata.digit(character, None)
        if digit is not None:
            return str(digit)
        if _fills_gaps(character):
            return ""
        letter = self._latin.get(character)
        if letter is None:
            character = character.casefold()
            letter = self._latin.get(character) or _without_accents(character)
        return (letter or self.traditional.get(character, character)).lower()


def _fills_gaps(character: str) -> bool:
    kind = unicodedata.category(character)
    if kind[0] == "M":
        return any(first <= ord(character) <= last for first, last in _MARKS)
    return kind[0] in "CPSZ"


def _without_accents(character: str) -> str | None:
    """The Latin letter that an accented one is made of; None for others."""
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else None
