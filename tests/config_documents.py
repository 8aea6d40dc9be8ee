"""Configuration files for the tests: a good one as a document, ways to change it, and the fault that it then has."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.config_errors import ConfigError

KEY = "k3y-of-an-account"
PASSWORD = "pa55w0rd"

# A file with only the tables that an operator cannot do without.
LEAST = """
[http]
listen = "127.0.0.1:8080"

[store]
path = "var/gateway"

[[account]]
name = "demo"
key = "demo-key"
scopes = ["send", "read", "operate"]
signatures = ["阳光物业"]

[[carrier]]
name = "cmcc-a"
networks = ["cmcc"]
signatures = ["阳光物业"]
throughput = 1000
source = "10690001"

[[carrier.bind]]
name = "cmcc-a-1"
host = "127.0.0.1"
port = 2775
system_id = "gateway"
password = "secret"
mode = "transceiver"
window = 100
tls = false

[[route]]
categories = []
carriers = ["cmcc-a"]
"""

Document = dict[str, Any]


def a_document() -> Document:
    """A good file, as TOML gives it."""
    bind = {"name": "cmcc-a-1", "host": "127.0.0.1", "port": 2775, "system_id": "gateway", "password": PASSWORD}
    return {
        "http": {"listen": "127.0.0.1:8080"},
        "store": {"path": "var/gateway"},
        "category": {"otp": {"valid_for_seconds": 120}},
        "account": [{"name": "demo", "key": KEY, "scopes": ["send", "read"], "signatures": ["阳光物业"]}],
        "carrier": [{"name": "cmcc-a", "networks": ["cmcc"], "throughput": 1000, "bind": [bind]}],
        "route": [{"carriers": ["cmcc-a"]}],
    }


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = "".join(
                f"\\u{ord(c):04x}" if ord(c) < 0x20 or c in '"\\\x7f' else c
                for c in value
                if not "\ud800" <= c <= "\udfff"
            )
            return f'"{escaped}"'
        case dict():
            return "{" + ", ".join(f"{toml(str(name))} = {toml(each)}" for name, each in value.items()) + "}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return repr(value)


def write(directory: Path, document: Document) -> Path:
    path = directory / "gateway.toml"
    path.write_text("".join(f"{toml(name)} = {toml(value)}\n" for name, value in document.items()), encoding="utf-8")
    return path


def with_value(place: str, value: Any) -> Document:
    """A good document with one value changed or added: `carrier/0/bind/0/window`."""
    document = a_document()
    table: Any = document
    *steps, last = place.split("/")
    for step in steps:
        table = table[int(step)] if isinstance(table, list) else table.setdefault(step, {})
    table[int(last) if isinstance(table, list) else last] = value
    return document


def fault_of(directory: Path, document: Document) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(directory, document))
    return str(caught.value)
