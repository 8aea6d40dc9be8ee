"""A list of words: a text file in UTF-8, one word a line, in groups that say what to do and why.

    # A comment. A word without a level of its own has that of its group, else that of the file.
    [invoices] block Trade in invoices is a crime, and who carries offers of it loses the line.
    代开发票
    发票代办 <tab> review
    [invoices.usual] allow
    税务局代开发票

A plain list of words is one group, named like the file.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

MAXIMUM_WORDS: Final = 200_000  # of all lists together
MAXIMUM_GROUPS: Final = 500  # each may be a label of a metric
MAXIMUM_CHARACTERS: Final = 40  # of one word


class Level(StrEnum):
    """What becomes of a message that has the word, least first."""

    ALLOW = "allow"  # a phrase inside which no word counts
    TAG = "tag"  # it is counted
    REVIEW = "review"  # a reviewer must see it
    BLOCK = "block"  # it is refused


GRAVITY: Final[tuple[Level, ...]] = tuple(Level)  # an index into it orders levels


class WordListError(ValueError):
    """A list that cannot be used: file, line, value and rule."""


class WordList(msgspec.Struct, frozen=True, kw_only=True):
    """A file and how it is used."""

    name: str  # as it is called in errors
    text: str
    level: Level = Level.BLOCK  # of words whose level nothing else says
    disguised: Level | None = Level.TAG  # of a word by its sound or in pieces, at most; None: not looked for

    @property
    def group(self) -> str:
        """That of words before the first heading."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.name.rpartition("/")[2].partition(".")[0])[:32] or "words"


class Rule(msgspec.Struct, frozen=True):
    """One word and what becomes of a message that has it."""

    word: str  # as listed
    group: str
    level: Level
    disguised: Level | None


_HEADING: Final = re.compile(r"\[([A-Za-z0-9._-]{1,32})\](?:\s+(allow|tag|review|block))?(?:\s+\S.*)?")


def read_rules(lists: list[WordList]) -> list[Rule]:
    """The rules of all lists. Raises WordListError."""
    rules: list[Rule] = []
    for each in lists:
        for rule in _rules_of(each):
            if len(rules) >= MAXIMUM_WORDS:
                raise WordListError(f"{each.name}: with it there are more than {MAXIMUM_WORDS} words")
            rules.append(rule)
    groups = len({rule.group for rule in rules})
    if groups > MAXIMUM_GROUPS:
        raise WordListError(f"{groups} groups: must be at most {MAXIMUM_GROUPS}")
    return rules


def _rules_of(words: WordList) -> Iterator[Rule]:
    group, level = words.group, words.level
    for number, line in enumerate(words.text.removeprefix("\ufeff").splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        place = f"{words.name}: line {number}"
        if entry.startswith("["):
            heading = _HEADING.fullmatch(entry)
            if heading is None:
                raise WordListError(f"{place}: must be [group] level reason; levels: {' '.join(Level)}")
            group, level = heading[1], Level(heading[2]) if heading[2] else words.level
            continue
        word, _, own = (part.strip() for part in entry.partition("\t"))
        if own and own not in set(Level):
            raise WordListError(f"{place}: level = {own}: must be one of {' '.join(Level)}")
        if not word or len(word) > MAXIMUM_CHARACTERS:
            raise WordListError(f"{place}: must be a word of at most {MAXIMUM_CHARACTERS} characters")
        yield Rule(word, group, Level(own) if own else level, words.disguised)
