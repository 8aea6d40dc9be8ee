"""Secrets come from where the file says, and are in no fault, whatever else is wrong."""

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.config import load
from gateway.config_errors import ConfigError
from tests.config_documents import KEY, LEAST, PASSWORD, Document, a_document, fault_of, with_value, write

# Damage that takes out just what stands between makes the secret the value of the setting before it, which no longer is
# one: a name, say, by which faults call the table.
_PUBLISHED = re.compile(rf"\b(?:name|system_id)\s*=[^\n]*(?:{KEY}|{PASSWORD})".encode())


def test_secrets_come_from_the_environment_or_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    document = with_value("account/0/key", "env:TEST_KEY")
    document["carrier"][0]["bind"][0]["password"] = f"file:{tmp_path / 'password'}"

    config = load(write(tmp_path, document))

    assert config.account[0].key == KEY
    assert config.carrier[0].bind[0].password == PASSWORD


def test_a_key_may_be_given_as_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_HASH", hashlib.sha256(KEY.encode()).hexdigest())
    document = with_value("account/0/key_sha256", "env:TEST_HASH")
    del document["account"][0]["key"]

    assert load(write(tmp_path, document)).account[0].key_hash == hashlib.sha256(KEY.encode()).digest()


@pytest.mark.parametrize(
    ("place", "setting"),
    [("account/0/key", "account[demo].key"), ("carrier/0/bind/0/password", "carrier[cmcc-a].bind[cmcc-a-1].password")],
)
@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("env:TEST_ABSENT", '"env:TEST_ABSENT": must name a variable of the environment'),
        ("env:TEST_EMPTY", '"env:TEST_EMPTY": must name a secret that is not empty'),
        ("env:no name", "(hidden): must name a variable of the environment"),
        ("file:{}/absent", '"file:{}/absent": must name a file that can be read (No such file or directory)'),
        ("file:{}", '"file:{}": must name a file that can be read (Is a directory)'),
        ("file:{}/empty", '"file:{}/empty": must name a secret that is not empty'),
        ("file:{}/large", '"file:{}/large": must name a file of at most 4096 octets'),
        ("file:{}/octets", '"file:{}/octets": must name a file of text'),
        ("file:\0", '"file:\0": must name a file of text'),
    ],
)
def test_a_secret_that_is_not_there_is_refused(
    place: str, setting: str, written: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_EMPTY", "")
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "large").write_bytes(b"x" * 4097)
    (tmp_path / "octets").write_bytes(b"\xff\xfe")

    document = with_value(place, written.format(tmp_path))

    assert fault_of(tmp_path, document) == f"{setting} = {fault.format(tmp_path)}"


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("account/0/key", "short", "account[demo].key = (hidden): must have at least 8 octets"),
        ("account/0/key", 12345678, "account[demo].key = (hidden): must be text"),
        ("account/0/key", {"in": KEY}, "account[demo].key = (hidden): must be text"),
        (
            "account/0/key",
            f" {KEY}",
            "account[demo].key = (hidden): must fit in a line of HTTP: no spaces around it, no control characters",
        ),
        ("account/0/key_sha256", "0" * 64, "account[demo].key: must not be set beside key_sha256"),
        (
            "account/0/key_sha256",
            KEY,
            "account[demo].key_sha256 = (hidden): must be a SHA-256 in 64 lower-case hexadecimal digits",
        ),
        (
            "carrier/0/bind/0/password",
            "nine-long",
            "carrier[cmcc-a].bind[cmcc-a-1].password = (hidden): must have at most 8 characters",
        ),
        (
            "carrier/0/bind/0/password",
            "密码",
            "carrier[cmcc-a].bind[cmcc-a-1].password = (hidden): must be of printable ASCII characters",
        ),
    ],
)
def test_a_wrong_secret_is_not_shown(place: str, value: Any, fault: str, tmp_path: Path) -> None:
    assert fault_of(tmp_path, with_value(place, value)) == fault


@pytest.mark.parametrize("secret", [{"key": KEY}, {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest()}])
def test_two_accounts_cannot_share_a_key(secret: dict[str, str], tmp_path: Path) -> None:
    document = a_document()
    document["account"].append({"name": "other", **secret})

    assert fault_of(tmp_path, document) == "account[other].key = (hidden): must not be the key of account[demo]"


# Whatever TOML can say.
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.times(), st.datetimes()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
DAMAGES: list[Callable[[Any, Any], Any]] = [
    lambda _old, new: new,
    lambda old, _new: f"{old} and more" if isinstance(old, str) else old,
    lambda old, _new: f"{old}\n" if isinstance(old, str) else old,
    lambda old, _new: [old],
    lambda old, _new: [old, old],
    lambda old, new: {"inner": old, "more": new},
    lambda old, new: [old, new],
    lambda old, _new: old[0] if isinstance(old, list) and old else {},
]


def fault_if_any(path: Path) -> str:
    """The fault of a file, "" when it has none. Any other error than ConfigError fails the test."""
    try:
        load(path)
    except ConfigError as error:
        return str(error)
    return ""


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every table or list in a document, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places_in(value[key])


def holds_a_secret(value: Any) -> bool:
    return any(holds_a_secret(table[key]) for table, key in places_in(value)) or value in (KEY, PASSWORD)


def damage(document: Document, data: st.DataObject) -> None:
    """Change something somewhere. The secrets stay under their names, or under names that nothing has."""
    places = list(places_in(document))
    secret = [(table, key) for table, key in places if holds_a_secret(table[key])]
    table, key = data.draw(st.sampled_from(secret or places) | st.sampled_from(places))
    if isinstance(table, dict) and data.draw(st.integers(0, 3)) == 0:
        table[data.draw(st.text(max_size=8)) + "?"] = table.pop(key)
    else:
        table[key] = data.draw(st.sampled_from(DAMAGES))(table[key], data.draw(VALUES))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_is_wrong_no_secret_is_in_the_fault(data: st.DataObject) -> None:
    document = a_document()
    for _ in range(data.draw(st.integers(1, 3))):
        damage(document, data)

    with tempfile.TemporaryDirectory() as directory:
        fault = fault_if_any(write(Path(directory), document))

    assert KEY not in fault
    assert PASSWORD not in fault
    assert len(fault) < 1000


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_gives_a_fault_without_secrets_or_loads(data: st.DataObject) -> None:
    text = LEAST.replace("demo-key", KEY).replace('"secret"', f'"{PASSWORD}"').encode()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    damaged = text[:start] + data.draw(st.binary(max_size=8)) + text[start + length :]
    assume(not _PUBLISHED.search(damaged))

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "gateway.toml"
        path.write_bytes(damaged)
        fault = fault_if_any(path)

    assert KEY not in fault
    assert PASSWORD not in fault
