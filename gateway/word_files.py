"""Reads lists of words, and the tables that go with them, from their files."""

from pathlib import Path
from typing import Final

import msgspec

from gateway.words.lists import Level, WordList, WordListError
from gateway.words.tables import FILES, Tables

MAXIMUM_OCTETS: Final = 33_554_432  # of one list


class WordFile(msgspec.Struct, frozen=True):
    """A list as the config names it. See WordList."""

    path: str
    level: Level
    disguised: Level | None


def read_list(file: WordFile) -> WordList:
    """Raises WordListError."""
    try:
        with Path(file.path).open("rb") as opened:
            octets = opened.read(MAXIMUM_OCTETS + 1)
        text = octets.decode("utf-8")
    except OSError as error:
        raise WordListError(f"{file.path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise WordListError(f"{file.path}: line {line}: is not UTF-8") from None
    except ValueError:  # a NUL in the path
        raise WordListError(f"{file.path!r}: must name a file") from None
    if len(octets) > MAXIMUM_OCTETS:
        raise WordListError(f"{file.path}: has more than {MAXIMUM_OCTETS} octets")
    return WordList(name=file.path, text=text, level=file.level, disguised=file.disguised)


def read_tables(folder: Path) -> Tables:
    """The tables that come with the gateway. Raises OSError: they belong to it as its own code does."""
    return Tables(**{name: (folder / f"{name}.tsv").read_text(encoding="utf-8") for name in FILES})
