"""Lists of words: taken in at the start and anew, in another process; a broken one changes nothing."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway import lexicon_process
from gateway.config import Config
from gateway.config_errors import ConfigError
from gateway.config_tables import AccountSettings
from gateway.lexicon_process import build_elsewhere
from gateway.word_files import WordFile
from gateway.wordbook import Wordbook
from gateway.words import building
from gateway.words.lists import Level, WordListError, read_rules
from gateway.words.settings import WordSettings
from tests.words.samples import codes, tables


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "ours.txt"
    write(path, "代开发票\n[jobs] review\n刷单返利\n")
    return path


def write(path: Path, contents: str | bytes | None) -> None:
    """`None`: the file is gone."""
    if contents is None:
        path.unlink()
    else:
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)


def a_config(path: Path, *exemptions: str, **fields: str) -> Config:
    return Config(
        words=(msgspec.convert({"file": str(path)} | fields, WordSettings),),
        account=(AccountSettings(name="demo", key="demo-key", word_exemptions=exemptions),),
    )


def levels(book: Wordbook, text: str) -> list[tuple[str, Level]]:
    return [(each.group, each.level) for each in book.stage.lexicon.find(text)]


def test_without_words_in_the_config_the_shipped_list_holds():
    assert levels(Wordbook(Config()), "代开发票") == [("invoices", Level.BLOCK)]


def test_settings_reach_the_words(path: Path):
    book = Wordbook(a_config(path, level="tag", disguised="review"))
    assert levels(book, "代开发票 带开发票 刷单反利") == [
        ("ours", Level.TAG),
        ("ours", Level.TAG),
        ("jobs", Level.REVIEW),
    ]
    assert not levels(Wordbook(a_config(path, disguised="off")), "带开发票")


async def test_a_list_is_taken_in_anew(path: Path):
    book = Wordbook(a_config(path))
    write(path, "[new] review\n天上掉馅饼\nbet365\n")

    await book.reload()

    assert levels(book, "代开发票，天上*掉餡餅，bet365，天上掉线饼") == [
        ("new", Level.REVIEW),
        ("new", Level.REVIEW),
        ("new", Level.TAG),
    ]


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        ("代开发票\n好\tnone".encode(), "line 2: level = none: must be one of"),
        ("代开发票\n*".encode(), r"word = \*: must have at least two letters"),
        (b"ok\n\xff\xfe", "line 2: is not UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
async def test_a_broken_list_changes_nothing_and_says_why(path: Path, octets: bytes | None, fault: str):
    book = Wordbook(a_config(path))
    write(path, octets)

    with pytest.raises(ConfigError, match=f"words: .*{fault}"):
        await book.reload()

    assert levels(book, "代开发票") == [("ours", Level.BLOCK)]


def test_a_broken_list_stops_the_start(path: Path):
    write(path, "[")
    with pytest.raises(ConfigError, match=r"words: .*ours.txt: line 1: must be \[group\] level reason"):
        Wordbook(a_config(path))


async def test_an_exemption_names_a_group_that_there_is(path: Path):
    assert Wordbook(a_config(path, "jobs"))
    with pytest.raises(ConfigError, match=r"account\[demo\].word_exemptions = loans: must be a group"):
        Wordbook(a_config(path, "jobs", "loans"))
    book = Wordbook(a_config(path, "jobs"))
    write(path, "别的词\n")
    with pytest.raises(ConfigError, match="word_exemptions = jobs"):
        await book.reload()
    assert levels(book, "刷单返利")


async def test_what_another_process_builds_is_what_is_built_here(path: Path):
    there = await build_elsewhere(tables(), [WordFile(str(path), Level.BLOCK, Level.TAG)])
    lists = [lexicon_process.read_list(WordFile(str(path), Level.BLOCK, Level.TAG))]
    here = building.build(tables(), codes(), read_rules(lists))

    def parts(built: building.Built) -> dict[str, bytes]:
        return {name: getattr(built, name) for name in built.__struct_fields__ if name not in {"words", "sounds"}}

    assert parts(there) == parts(here)
    assert len(there.words) == len(here.words)


async def test_a_process_that_takes_too_long_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lexicon_process, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(WordListError, match="took longer than 0 seconds"):
        await build_elsewhere(tables(), [WordFile(str(path), Level.BLOCK, Level.TAG)])


async def test_a_process_that_fails_is_told_as_such(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lexicon_process.sys, "executable", "/bin/false")
    with pytest.raises(WordListError, match="ended with 1"):
        await build_elsewhere(tables(), [WordFile(str(path), Level.BLOCK, Level.TAG)])


async def test_messages_pass_while_a_list_is_taken_in(path: Path):
    book = Wordbook(a_config(path))
    write(path, "别的词\n代开发票\n")
    reloading = asyncio.create_task(book.reload())
    passed = 0
    while not reloading.done():
        assert levels(book, "代开发票")
        passed += 1
        await asyncio.sleep(0)
    await reloading
    assert passed > 100
