"""The normal form of a text: one code of 16 bits for each character that counts, whose upper octet is its sound.

    upper octet     characters
    00, 01          Latin letters, digits, as in ASCII
    02 to F7        Chinese characters: those of one octet sound alike, or belong to the few rare sounds that share one
    F8 to FA, FB    any other character: two codes, the first and the second half of its number

So two octets a code in little-endian order are what words are searched for in, and every second octet alone is how the
text sounds: one pass over the text, and a slice.
"""

from codecs import charmap_encode
from collections import defaultdict
from itertools import chain
from typing import Final

from gateway.words.folding import DISGUISES, Folding
from gateway.words.sounds import sound_of
from gateway.words.tables import TableError, Tables

_DIGITS: Final = 0x0100
_SOUND_OCTETS: Final = (*range(0x02, 0xD8), *range(0xE0, 0xF8))  # D8 to DF: halves of surrogate pairs
_FIRST_HALF: Final = 0xF800
_SECOND_HALF: Final = 0xFB00
# Characters from here on are rare (old ideographs, tags), and would make the table seven times as long.
_TABLE_END: Final = 0x20000


class Codes:
    """Makes codes of texts. Building it takes a moment (0.2 s), and it does not depend on the words."""

    def __init__(self, tables: Tables) -> None:
        """Raises TableError."""
        self._folding = Folding(tables)
        self.sound_of_code, self.code_of_syllable, self._codes = _give_codes(tables.syllables())
        codes = [_two_halves(character) for character in map(chr, range(_TABLE_END))]
        for place in chain(*DISGUISES[:-1], map(ord, self._codes), map(ord, self._folding.traditional)):
            codes[place] = self._code(chr(place))
        self._octets = [code.encode("utf-16-le") for code in codes]

    def octets(self, text: str) -> bytes:
        """The normal form of a text, two octets a code."""
        try:
            # Faster than str.translate and an encoding after it: one pass, and the octets of each code are there.
            return charmap_encode(text, "strict", self._octets)[0]
        except UnicodeEncodeError:  # a character that is not in the table
            return "".join(map(self._code, text)).encode("utf-16-le")

    def form(self, text: str) -> str:
        """The same, a character a code."""
        return self.octets(text).decode("utf-16-le")

    def places(self, text: str) -> list[int]:
        """For each code of a text's normal form, where in the text it comes from."""
        return list(chain.from_iterable([place] * len(self._code(each)) for place, each in enumerate(text)))

    def is_latin(self, character: str) -> bool:
        """Whether a character is a Latin letter or a digit under its disguise."""
        code = self._code(character)
        return bool(code) and code[-1] < "\u0200"

    def _code(self, character: str) -> str:
        code = self._codes.get(character)
        if code is not None:
            return code
        folded = self._folding.fold(character)
        return "".join([self._codes.get(each) or _two_halves(each) for each in folded])


def _two_halves(character: str) -> str:
    number = min(ord(character), 0x2FFFF)
    return chr(_FIRST_HALF + (number >> 8)) + chr(_SECOND_HALF + (number & 0xFF))


def _give_codes(syllables: dict[str, str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The sound of each code that has one, a code for each syllable, the code of each character. Raises TableError."""
    spoken: defaultdict[str, list[str]] = defaultdict(list)
    for syllable, characters in syllables.items():
        spoken[sound_of(syllable)] += characters
    codes = {chr(letter): chr(letter) for letter in range(ord("a"), ord("z") + 1)}
    codes |= {str(digit): chr(_DIGITS + ord(str(digit))) for digit in range(10)}
    sounds: dict[str, str] = {}
    first_codes: dict[str, str] = {}
    used = dict.fromkeys(_SOUND_OCTETS, 0)
    for place, sound in enumerate(sorted(spoken, key=lambda each: (-len(spoken[each]), each))):
        # There are more sounds than octets: the rarest share one with others that are rare.
        octet = _SOUND_OCTETS[place] if place < len(used) else _SOUND_OCTETS[2 * len(used) - 1 - place]
        for character in spoken[sound]:
            if used[octet] > 0xFF:
                raise TableError(f"pinyin.tsv: {sound}: more characters sound so than have room")
            code = chr(octet << 8 | used[octet])
            used[octet] += 1
            codes[character] = code
            sounds[code] = sound
            first_codes.setdefault(sound, code)
    return sounds, {each: first_codes[sound_of(each)] for each in syllables}, codes
