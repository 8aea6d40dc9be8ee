"""The config of a gateway that a run starts: a given file, with the addresses and the store of this run."""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from loadtest.errors import CannotRun

Tables = dict[str, Any]


def read_tables(path: Path) -> Tables:
    """Return the tables of a TOML file. Raises CannotRun."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # not there, not UTF-8, or not TOML
        raise CannotRun(f"{path}: cannot be read as a config: {error}") from error


def account_of(tables: Tables, path: Path) -> tuple[str, str]:
    """Return name and key of the first account, in whose name the run sends. Raises CannotRun."""
    for account in tables.get("account", []):
        if "key" in account:
            return account["name"], account["key"]
    raise CannotRun(f"{path}: account[1].key: must be set, so that the run can send in its name")


def place(tables: Tables, *, gateway: str, simulator: tuple[str, int], store: Path) -> Tables:
    """Return the config with the gateway at `gateway`, all its binds to `simulator`, and its store at `store`."""
    host, port = simulator
    return change_binds(
        {
            **tables,
            "http": {**tables.get("http", {}), "listen": gateway},
            "store": {**tables.get("store", {}), "path": str(store)},
        },
        lambda bind: {**bind, "host": host, "port": port},
    )


def change_binds(tables: Tables, change: Callable[[Tables], Tables]) -> Tables:
    """Return the config with each bind of each carrier changed."""
    return change_carriers(
        tables, lambda carrier: {**carrier, "bind": [change(bind) for bind in carrier.get("bind", [])]}
    )


def change_carriers(tables: Tables, change: Callable[[Tables], Tables]) -> Tables:
    """Return the config with each carrier changed."""
    return {**tables, "carrier": [change(carrier) for carrier in tables.get("carrier", [])]}


def with_accounts(tables: Tables, path: Path, count: int, *, callback: Tables) -> tuple[Tables, list[str]]:
    """Return the config with `count` accounts like its first one, all called back alike, and their keys."""
    name, key = account_of(tables, path)
    first = next(account for account in tables["account"] if account["name"] == name)
    rest = [account for account in tables["account"] if account is not first]
    keys = [key, *(f"{key}-{n}" for n in range(2, count + 1))]
    copies = [
        {**first, "name": name if n == 1 else f"{name}-{n}", "key": key, "callback": callback}
        for n, key in enumerate(keys, 1)
    ]
    return {**tables, "account": [*copies, *rest]}, keys


def to_toml(tables: Tables) -> str:
    """Return a config as TOML, one setting or table a line: what it has are tables, lists, text, numbers and truths."""
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in tables.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        # JSON escapes what TOML wants escaped, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def _pairs(table: Tables) -> Iterator[str]:
    for name, value in table.items():
        yield f"{json.dumps(name)} = {_value(value)}"
