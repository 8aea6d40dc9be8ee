"""Lists and lexicons for the tests of words."""

from functools import cache

from gateway.config import shipped
from gateway.word_files import read_tables
from gateway.words.building import build
from gateway.words.codes import Codes
from gateway.words.lexicon import Lexicon, unpack_lexicon
from gateway.words.lists import Level, WordList, read_rules
from gateway.words.tables import Tables


@cache
def tables() -> Tables:
    return read_tables(shipped("words"))


@cache
def codes() -> Codes:
    return Codes(tables())


def a_lexicon(text: str, *, level: Level = Level.BLOCK, disguised: Level | None = Level.TAG) -> Lexicon:
    """A lexicon of one list."""
    rules = read_rules([WordList(name="lists/ours.txt", text=text, level=level, disguised=disguised)])
    return unpack_lexicon(codes(), build(tables(), codes(), rules))
