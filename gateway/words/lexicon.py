"""Finds listed words in a text, however they are disguised, and says where in the original text they stand.

    as it is    in the normal form: width, case, script, signs between and the like do not matter
    by sound    its syllables in other characters or in letters: 代kai发飘
    in pieces   a character in the two or three that it falls apart into: 代开发西示

Nearly every message has none of all that, so what comes after the two searches need not be fast.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from gateway.words.automaton import Automaton, Hit, unpack
from gateway.words.building import Built
from gateway.words.codes import Codes
from gateway.words.lists import GRAVITY, Level
from gateway.words.pinyin import Pinyin

_TWO_LETTERS: Final = b"\0\0"  # in upper octets; see gateway.words.codes
_LETTER: Final = re.compile(r"[a-z]")
_DIGIT: Final = re.compile(r"[\u0130-\u0139]")
# What stands between two clauses. A word that one such place cuts in two is none: 以旧换代，开发票请到前台.
_BETWEEN_CLAUSES: Final = re.compile(r"\s*[，。；：！？、…—,;:!?\n（）()【】《》“”\"]+\s*|\n")


class Manner(StrEnum):
    """How a word stands in a text."""

    PLAIN = "plain"
    SOUND = "sound"
    PIECES = "pieces"


class Found(msgspec.Struct, frozen=True):
    """One word in a text. `start` and `end` are places in it, as Python slices; `level` is what the manner leaves."""

    start: int
    end: int
    word: str
    group: str
    level: Level
    manner: Manner = Manner.PLAIN


class Lexicon:
    """Lists of words, ready to be searched for."""

    def __init__(self, codes: Codes, built: Built, *, words: Automaton, sounds: Automaton) -> None:
        """`words` and `sounds`: the two automata of `built`, unpacked."""
        self._codes = codes
        self._octets = codes.octets
        self._pinyin = Pinyin(codes.code_of_syllable)
        self._find_words = words.find_overlapping
        self._find_sounds = sounds.find_overlapping
        self._built = built
        self._sound_rules = memoryview(built.sound_rules).cast("I")
        self._listed_ends = memoryview(built.listed_ends).cast("I")
        self._form_ends = memoryview(built.form_ends).cast("I")
        self._groups = memoryview(built.groups).cast("H")
        self._group_names = built.group_names.decode().split("\n")

    def __len__(self) -> int:
        return len(self._built.levels)

    @property
    def groups(self) -> frozenset[str]:
        """The names of the groups."""
        return frozenset(self._group_names)

    def find(self, text: str) -> Sequence[Found]:
        """Every word that the text has, in the order of their places, but those in phrases that are allowed."""
        octets = self._octets(text)
        heard = octets[1::2]
        hits = self._find_words(octets)
        sounds = self._find_sounds(heard)
        spelled = _TWO_LETTERS in heard
        if not hits and not sounds and not spelled:
            return ()
        form = octets.decode("utf-16-le")
        read = self._pinyin.read(form) if spelled else None
        hits = [(start >> 1, end >> 1, n) for start, end, n in hits if not start & 1]
        if not hits and not sounds and read is None:
            return ()
        return self._judge(text, form, hits, [*self._by_sound(form, sounds, read), *self._in_pieces(form, hits)])

    def _judge(self, text: str, form: str, hits: Sequence[Hit], disguised: Sequence[tuple[Hit, Manner]]) -> list[Found]:
        """What counts of everything that was found. Places are in the form."""
        levels, count = self._built.levels, len(self)
        plain = [hit for hit in hits if hit[2] < count]
        if not plain and not disguised:
            return []
        places = [*self._codes.places(text), len(text)]
        plain = [hit for hit in plain if self._stands_alone(text, form, places, hit)]
        allowed = [(start, end) for start, end, n in plain if not levels[n]]
        found = [
            self._found(places, hit, manner)
            for hit, manner in [*((hit, Manner.PLAIN) for hit in plain if levels[hit[2]]), *disguised]
            if not any(start <= hit[0] and hit[1] <= end for start, end in allowed)
        ]
        return sorted(found, key=lambda each: (each.start, each.end))

    def _found(self, places: Sequence[int], hit: Hit, manner: Manner) -> Found:
        start, end, n = hit
        built = self._built
        gravity = built.levels[n] if manner is Manner.PLAIN else min(built.levels[n], built.disguised[n])
        listed_start = self._listed_ends[n - 1] if n else 0
        return Found(
            start=places[start],
            end=places[end - 1] + 1,
            word=built.listed[listed_start : self._listed_ends[n]].decode(),
            group=self._group_names[self._groups[n]],
            level=GRAVITY[gravity],
            manner=manner,
        )

    def _form_of(self, n: int) -> str:
        start = self._form_ends[n - 1] if n else 0
        return self._built.forms[2 * start : 2 * self._form_ends[n]].decode("utf-16-le")

    # --- as it is ----------------------------------------------------------------------------------------------------

    def _stands_alone(self, text: str, form: str, places: Sequence[int], hit: Hit) -> bool:
        """Not a part of a longer word in letters or digits, and not the end of one clause and the start of the next."""
        start, end, _ = hit
        first, last = places[start], places[end - 1]
        if first and self._goes_on(form[start], text[first - 1]):
            return False
        if last + 1 < len(text) and self._goes_on(form[end - 1], text[last + 1]):
            return False
        gaps = [text[a + 1 : b] for a, b in zip(places[start:end], places[start + 1 : end], strict=False) if b > a + 1]
        return not (len(gaps) == 1 and end - start > 2 and _BETWEEN_CLAUSES.fullmatch(gaps[0]))

    def _goes_on(self, code: str, neighbour: str) -> bool:
        """Whether what stands beside a word's first or last code is more of the same."""
        for kind in (_LETTER, _DIGIT):
            if kind.fullmatch(code):
                return kind.search(self._codes.form(neighbour)) is not None
        return False

    # --- by sound ----------------------------------------------------------------------------------------------------

    def _by_sound(
        self, form: str, hits: Sequence[Hit], read: tuple[str, list[int]] | None
    ) -> Iterator[tuple[Hit, Manner]]:
        """Words in other characters, or letters, that sound like theirs."""
        spoken, places = read or (form, range(len(form) + 1))
        if read is not None:
            hits = self._find_sounds(spoken.encode("utf-16-le")[1::2])
        for first, last, pattern in hits:
            n = self._sound_rules[pattern]
            word = self._form_of(n)
            start, end = places[first], places[last]
            if form[start:end] != word and self._sounds_like(spoken[first:last], word):
                yield (start, end, n), Manner.SOUND

    def _sounds_like(self, spoken: str, word: str) -> bool:
        """Whether each code has the same sound, and not only the same octet, which rare sounds share."""
        sound_of = self._codes.sound_of_code
        return all(
            a == b or (a in sound_of and sound_of[a] == sound_of.get(b)) for a, b in zip(spoken, word, strict=True)
        )

    # --- in pieces ---------------------------------------------------------------------------------------------------

    def _in_pieces(self, form: str, hits: Sequence[Hit]) -> Iterator[tuple[Hit, Manner]]:
        """Words that appear when pieces of characters are put together, leftmost and longest first."""
        count = len(self)
        joins: list[Hit] = []
        for hit in sorted((hit for hit in hits if hit[2] >= count), key=lambda hit: (hit[0], -hit[1])):
            if not joins or hit[0] >= joins[-1][1]:
                joins.append(hit)
        if not joins:
            return
        joined = self._join(form, joins)
        found = self._find_words(joined.encode("utf-16-le"))
        words = [(start >> 1, end >> 1, n) for start, end, n in found if n < count and not start & 1]
        if not words:  # nearly always: 女子 is 好, and seldom part of a word
            return
        starts, wholes = _places_of(form, joins)
        for start, end, n in words:
            holds_a_whole = bisect_left(wholes, start) < bisect_left(wholes, end)
            if holds_a_whole and self._built.disguised[n] and self._built.levels[n]:
                yield (starts[start], starts[end], n), Manner.PIECES

    def _join(self, form: str, joins: Sequence[Hit]) -> str:
        """The form with the characters in the place of their pieces."""
        parts: list[str] = []
        done, count, wholes = 0, len(self), self._built.wholes
        for start, end, pattern in joins:
            place = 2 * (pattern - count)
            parts += (form[done:start], wholes[place : place + 2].decode("utf-16-le"))
            done = end
        return "".join(parts) + form[done:]


def _places_of(form: str, joins: Sequence[Hit]) -> tuple[list[int], list[int]]:
    """For each code of the joined form where it begins in the form, and which of them are put together."""
    starts: list[int] = []
    wholes: list[int] = []
    done = 0
    for start, end, _ in joins:
        starts += range(done, start)
        wholes.append(len(starts))
        starts.append(start)
        done = end
    starts += range(done, len(form) + 1)
    return starts, wholes


def unpack_lexicon(codes: Codes, built: Built) -> Lexicon:
    """All at once, where nobody waits. Raises ValueError."""
    return Lexicon(codes, built, words=unpack(built.words), sounds=unpack(built.sounds))
