"""Letters in a text that can be read as syllables of pinyin: 代kai发票."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from gateway.words.sounds import SYLLABLE_LETTERS

MAXIMUM_LETTERS: Final = 40  # of a run; longer ones are sentences in other languages
_RUN: Final = re.compile(r"[a-z]{2,}")  # one letter is a building, or what to reply with


class Pinyin:
    """Reads letters as Chinese characters that sound so."""

    def __init__(self, code_of_syllable: Mapping[str, str]) -> None:
        """`code_of_syllable`: the code of some character for each syllable."""
        self._codes = code_of_syllable
        # The same runs come again and again: names of shops and sites.
        self._read: Callable[[str], str | None] = lru_cache(maxsize=4_096)(self._read_run)

    def read(self, form: str) -> tuple[str, list[int]] | None:
        """A normal form with its pinyin as characters, and where each code begins in `form`; None if it has none."""
        read: list[str] = []
        places: list[int] = []
        end = 0
        for run in _RUN.finditer(form):
            letters = run[0]
            spoken = self._read(letters) if len(letters) <= MAXIMUM_LETTERS else None
            if spoken is None:
                continue
            start = run.start()
            read.append(form[end:start])
            places += range(end, start)
            for code, length in zip(spoken[::2], spoken[1::2], strict=True):
                read.append(code)
                places.append(start)
                start += ord(length)
            end = run.end()
        if not read:
            return None
        read.append(form[end:])
        places += range(end, len(form) + 1)
        return "".join(read), places

    def _read_run(self, letters: str) -> str | None:
        """For each syllable of a run its code and, as a character, its length; None when it is no pinyin."""
        ways: dict[int, str] = {len(letters): ""}  # how to read on from there
        for start in range(len(letters) - 1, -1, -1):
            for length in range(SYLLABLE_LETTERS, 0, -1):
                code, rest = self._codes.get(letters[start : start + length]), ways.get(start + length)
                if code is not None and rest is not None:
                    ways[start] = code + chr(length) + rest
                    break
        return ways.get(0)
