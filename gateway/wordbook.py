"""The lists of words that the config names: taken in at the start, and again while messages pass."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import structlog

from gateway.account import Account
from gateway.config import Config, shipped
from gateway.config_errors import ConfigError
from gateway.lexicon_process import build_elsewhere
from gateway.message import Message
from gateway.policy.candidate import candidate_of
from gateway.policy.words import WordStage
from gateway.word_files import WordFile, read_list, read_tables
from gateway.words.automaton import unpack
from gateway.words.building import build
from gateway.words.codes import Codes
from gateway.words.lexicon import Lexicon, unpack_lexicon
from gateway.words.lists import Level, WordListError, read_rules
from gateway.words.tables import Tables

log = structlog.get_logger(__name__)


class Wordbook:
    """The lists as they stand. `stage` looks into them."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError."""
        self._config = config
        self._files = _files(config)
        self._reloading = asyncio.Lock()
        self._accounts = {account.name: account.account for account in config.account}
        self.stage = WordStage(self._load())

    def words_of(self, message: Message) -> Sequence[Mapping[str, Any]]:
        """The listed words that a message has, by the lists as they are now: for its reviewer."""
        account = self._accounts.get(message.account) or Account(name=message.account)
        return self.stage.noticed(candidate_of(message, account))

    async def reload(self) -> None:
        """Take the files as they are now. Raises ConfigError, and then the old lists hold.

        Messages pass meanwhile: only unpacking an automaton cannot be done beside them, 3 ms for 100,000 words.
        """
        tables, codes = _tables_and_codes()
        async with self._reloading:
            try:
                built = await build_elsewhere(tables, self._files)
            except WordListError as error:
                raise ConfigError(f"words: {error}") from None
            words = unpack(built.words)
            await asyncio.sleep(0)
            sounds = unpack(built.sounds)
            await asyncio.sleep(0)
            lexicon = Lexicon(codes, built, words=words, sounds=sounds)
            self._check_exemptions(lexicon)
            self.stage.lexicon = lexicon
            log.info("the lists of words were taken in anew", words=len(lexicon))

    def _load(self) -> Lexicon:
        tables, codes = _tables_and_codes()
        try:
            rules = read_rules([read_list(file) for file in self._files])
            lexicon = unpack_lexicon(codes, build(tables, codes, rules))
        except WordListError as error:
            raise ConfigError(f"words: {error}") from None
        self._check_exemptions(lexicon)
        return lexicon

    def _check_exemptions(self, lexicon: Lexicon) -> None:
        for account in self._config.account:
            unknown = _first_unknown(account.word_exemptions, lexicon.groups)
            if unknown is not None:
                place = f"account[{account.name}].word_exemptions"
                raise ConfigError(f"{place} = {unknown}: must be a group of the lists of words")


def _first_unknown(names: Iterable[str], known: frozenset[str]) -> str | None:
    return next((name for name in names if name not in known), None)


def _files(config: Config) -> list[WordFile]:
    return [
        WordFile(
            path=each.file or str(shipped("words/shipped.txt")),
            level=Level(each.level),
            disguised=None if each.disguised == "off" else Level(each.disguised),
        )
        for each in config.words
    ]


@cache
def _tables_and_codes() -> tuple[Tables, Codes]:
    """They come with the gateway, and are the same for as long as it runs."""
    tables = read_tables(shipped("words"))
    return tables, Codes(tables)
