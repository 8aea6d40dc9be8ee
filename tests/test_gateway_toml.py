"""`config/gateway.toml` is complete and true: every setting is there, with its default and a reason."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from gateway.config import load, load_plan
from gateway.config_rules import declared
from gateway.config_tables import Config
from gateway.delivery.settings import default_categories

PATH = Path(__file__).parents[1] / "config" / "gateway.toml"

HEADING = re.compile(r"(?P<comment># )?\[\[?(?P<table>[a-z_.]+)\]\]?")
SETTING = re.compile(r"(?P<comment># )?(?P<name>[a-z_0-9]+) = (?P<value>.+)")
REASON = re.compile(r"# (?![a-z_0-9]+ = ).+")

SECRETS = {
    "secret": "whsec_" + "A" * 44,
    "key": "a-key-of-the-test",
    "password": "pa55w0rd",
    "key_sha256": "0" * 64,
    "ported_key": "a-key-for-hashes",
}


class Declared(msgspec.Struct, frozen=True):
    """A setting as the code has it."""

    table: str
    name: str
    default: Any  # msgspec.NODEFAULT when it must be set


def declared_settings(kind: Any, table: str = "") -> Iterator[Declared]:
    """Every setting of every table, for which `kind` is the type of the file."""
    for field in declared(kind).fields:
        inner = declared(field.type)
        if isinstance(inner, inspect.VarTupleType):
            inner = declared(inner.item_type)
        if isinstance(inner, inspect.StructType):
            yield from declared_settings(inner, f"{table}.{field.encode_name}".removeprefix("."))
        else:
            yield Declared(table, field.encode_name, field.default)


def written_settings(text: str) -> Iterator[tuple[str, re.Match[str], str]]:
    """Every setting that the file has or shows commented out: its table, the line taken apart, the line above."""
    table = above = ""
    for line in re.sub(r"\[\n(.*),\n\]", lambda found: f"[{found[1].strip()}]", text).splitlines():
        heading, setting = HEADING.fullmatch(line), SETTING.fullmatch(line)
        if heading is not None:
            table = heading["table"]
        elif setting is not None:
            yield table, setting, above
        above = line


@pytest.fixture(name="text")
def text_fixture(monkeypatch: pytest.MonkeyPatch) -> str:
    """The file, with the variables that it names set."""
    text = PATH.read_text(encoding="utf-8")
    for field, variable in re.findall(r'(\w+) = "env:(\w+)"', text):
        monkeypatch.setenv(variable, SECRETS[field])
    return text


# Tables that ship commented out, as examples: nothing in them is in force, so nothing need be the default.
EXAMPLES = {"cap"}

SETTINGS = list(declared_settings(inspect.type_info(Config)))


def test_every_setting_is_in_the_file_and_nothing_else(text: str) -> None:
    written = {(table, setting["name"]) for table, setting, _ in written_settings(text)}

    assert written == {(setting.table, setting.name) for setting in SETTINGS}


def test_every_value_in_the_file_is_the_default_of_the_code(text: str) -> None:
    values = {(table, line["name"]): line for table, line, _ in written_settings(text) if not line["comment"]}
    categories = {
        (f"category.{name}", field): value
        for name, settings in default_categories().items()
        for field, value in msgspec.to_builtins(settings).items()
    }
    for setting in SETTINGS:
        place = (setting.table, setting.name)
        default = categories.get(place, setting.default)
        if setting.table in EXAMPLES:
            assert place not in values, f"{place} is of an example, and must be commented out"
        elif default is None:
            assert place not in values, f"{place} has no default, and must be commented out"
        elif default is not msgspec.NODEFAULT and setting.name not in SECRETS:
            value = tomllib.loads(values[place][0])[setting.name]
            expected = list(default) if isinstance(default, tuple) else default
            assert value == msgspec.to_builtins(expected), place
            assert type(value) is type(msgspec.to_builtins(expected)), place


def test_the_store_is_where_it_is_without_the_file(text: str) -> None:
    assert load(PATH).store == Config().store


def test_every_setting_has_its_reason_above_it(text: str) -> None:
    for table, line, above in written_settings(text):
        if not line["comment"]:
            assert REASON.fullmatch(above), f"{table}.{line['name']}"


def test_no_secret_is_written_into_the_file(text: str) -> None:
    for table, line, _ in written_settings(text):
        if line["name"] in SECRETS and table != "cap":  # the key of a cap is what it counts by
            assert line["value"].startswith('"env:')


def test_the_file_loads_as_it_is(text: str) -> None:
    config = load(PATH)

    assert config.account[0].key == SECRETS["key"]
    assert config.carrier[0].bind[0].password == SECRETS["password"]
    assert load_plan(config).lookup


def test_its_carrier_is_on_loopback(text: str) -> None:
    assert {bind.host for carrier in load(PATH).carrier for bind in carrier.bind} == {"127.0.0.1"}


def test_the_file_loads_with_everything_uncommented(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(re.sub(r"(?m)^# (?=\[|[a-z_0-9]+ = )", "", text), encoding="utf-8")

    config = load(path)

    assert [account.name for account in config.account] == ["demo", "operator"]
    assert config.account[0].senders
    assert config.carrier[0].signatures
