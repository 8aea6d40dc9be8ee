"""Wrong files give one fault, with setting, value and rule."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from gateway.config_errors import from_validation_error
from gateway.config_rules import declared, rule_of
from gateway.config_tables import Config
from tests.config_documents import KEY, Document, a_document, fault_of, with_value

WRONG_VALUES = [
    # out of range
    ("carrier/0/bind/0/window", 0, "carrier[cmcc-a].bind[cmcc-a-1].window = 0: must be 1 to 10000"),
    ("carrier/0/bind/0/window", 10**30, f"carrier[cmcc-a].bind[cmcc-a-1].window = {10**30}: must be 1 to 10000"),
    ("carrier/0/throughput", -1, "carrier[cmcc-a].throughput = -1: must be 1 to 10000000"),
    (
        "carrier/0/response_timeout_seconds",
        0,
        "carrier[cmcc-a].response_timeout_seconds = 0: must be above 0 and at most 2592000",
    ),
    ("delivery/sweep_seconds", float("nan"), "delivery.sweep_seconds = nan: must be above 0 and at most 2592000"),
    ("client_refs/remember_seconds", float("inf"), "client_refs.remember_seconds = inf: must be 0 to 2592000"),
    ("client_refs/remember_seconds", float("nan"), "client_refs.remember_seconds = nan: must be 0 to 2592000"),
    ("client_refs/limit", 0, "client_refs.limit = 0: must be 1 to 100000000"),
    ("category/otp/valid_for_seconds", 0, "category.otp.valid_for_seconds = 0: must be 1 to 172800"),
    ("node/number", 1024, "node.number = 1024: must be 0 to 1023"),
    # wrong type
    (
        "carrier/0/bind/0/window",
        "many",
        'carrier[cmcc-a].bind[cmcc-a-1].window = "many": must be a whole number, 1 to 10000',
    ),
    ("carrier/0/bind/0/port", 1.5, "carrier[cmcc-a].bind[cmcc-a-1].port = 1.5: must be a whole number, 1 to 65535"),
    ("carrier/0/bind/0/port", True, "carrier[cmcc-a].bind[cmcc-a-1].port = true: must be a whole number, 1 to 65535"),
    (
        "category/otp/valid_for_seconds",
        [],
        "category.otp.valid_for_seconds = (a list): must be a whole number, 1 to 172800",
    ),
    ("delivery/drain_seconds", "30", 'delivery.drain_seconds = "30": must be a number, above 0 and at most 2592000'),
    ("store/batch_messages", "2000", 'store.batch_messages = "2000": must be a whole number'),
    ("carrier/0/bind/0/tls", "yes", 'carrier[cmcc-a].bind[cmcc-a-1].tls = "yes": must be true or false'),
    ("carrier/0/bind/0/host", 7, "carrier[cmcc-a].bind[cmcc-a-1].host = 7: must be text"),
    ("carrier/0/bind/0/host", date(2026, 1, 2), "carrier[cmcc-a].bind[cmcc-a-1].host = 2026-01-02: must be text"),
    ("carrier/0/networks", "cmcc", 'carrier[cmcc-a].networks = "cmcc": must be a list'),
    ("carrier/0/signatures", "阳光物业", 'carrier[cmcc-a].signatures = "阳光物业": must be a list'),
    ("account/0/signatures", [3], "account[demo].signatures[1] = 3: must be text"),
    ("log/level", {"a": 1}, "log.level = (a table): must be one of debug, info, warning, error"),
    # one of several words
    (
        "carrier/0/bind/0/mode",
        "both",
        'carrier[cmcc-a].bind[cmcc-a-1].mode = "both": must be one of transceiver, transmitter, receiver',
    ),
    (
        "carrier/0/networks",
        ["cmcc", "cmc"],
        'carrier[cmcc-a].networks[2] = "cmc": must be one of cbn, cmcc, ctcc, cucc, other, satnet, unknown',
    ),
    ("category/otp/on_doubt", "maybe", 'category.otp.on_doubt = "maybe": must be one of resend, wait'),
    (
        "account/0/scopes",
        ["admin"],
        'account[demo].scopes[1] = "admin": must be one of send, read, operate, review, metrics',
    ),
    # form
    ("carrier/0/source", "+1069", 'carrier[cmcc-a].source = "+1069": must be at most 20 digits'),
    ("account/0/senders", ["88 01"], 'account[demo].senders[1] = "88 01": must be 1 to 20 digits'),
    (
        "route/0/prefixes",
        ["138"],
        'route[1].prefixes[1] = "138": must be the beginning of a number in E.164, such as +86138',
    ),
    ("carrier/0/bind/0/host", "", 'carrier[cmcc-a].bind[cmcc-a-1].host = "": must have 1 to 253 characters'),
    (
        "carrier/0/bind/0/system_id",
        "a-name-of-sixteen",
        'carrier[cmcc-a].bind[cmcc-a-1].system_id = "a-name-of-sixteen": must have at most 15 characters',
    ),
    (
        "carrier/0/bind/0/system_id",
        "网关",
        'carrier[cmcc-a].bind[cmcc-a-1].system_id = "网关": must be of printable ASCII characters',
    ),
    (
        "account/0/name",
        "物业",
        'account[1].name = "物业": must be 1 to 32 letters A to Z, digits and . _ -, with a letter or digit first',
    ),
    (
        "account/0/name",
        "demo\n",
        r'account[1].name = "demo\n": must be 1 to 32 letters A to Z, digits and . _ -, with a letter or digit first',
    ),
    ("route/0/carriers", [], "route[1].carriers = (a list): must be a list of at least 1"),
    (
        "account/0/signatures",
        ["【阳光】"],
        (
            'account[demo].signatures = "【阳光】": '
            "must be a signature without 【】 (a signature has letters and digits only)"
        ),
    ),
    (
        "route/0/signatures",
        ["阳"],
        'route[1].signatures = "阳": must be a signature without 【】 (a signature has 2 to 16 characters)',
    ),
    ("http/listen", "x" * 100, f'http.listen = "{"x" * 59}…: must be host:port, with an IPv6 address in brackets'),
    (
        "carrier/0/bind/0/host",
        "a b",
        'carrier[cmcc-a].bind[cmcc-a-1].host = "a b": must be a name or address of a host',
    ),
    (
        "carrier/0/bind/0/host",
        "a..b",
        'carrier[cmcc-a].bind[cmcc-a-1].host = "a..b": must be a name or address of a host',
    ),
    ("http/listen", "a..b:80", 'http.listen = "a..b:80": must be a name or address of a host'),
    # what the parts check themselves
    ("http/listen", "8080", 'http.listen = "8080": must be host:port, with an IPv6 address in brackets'),
    ("http/max_messages", 0, "http.max_messages = 0: must be 1 to 10000"),
    ("http/body_timeout_seconds", float("nan"), "http.body_timeout_seconds = nan: must be 0.1 to 3600"),
    ("store/path", "", 'store.path = "": must name a directory'),
    ("store/path", "var\0", r'store.path = "var\u0000": must name a directory'),
    ("store/file_seconds", 0, "store.file_seconds = 0: must be 1 to 2678400"),
    # tables
    ("http", 3, "http: must be a table"),
    ("http", [{}], "http: must be a table"),
    ("account", {"name": "demo", "key": KEY}, "account: must be written as [[account]]"),
    ("account", KEY, "account: must be written as [[account]]"),
    ("account", [KEY], "account[1]: must be a table"),
    ("carrier/0/bind", {"name": "b"}, "carrier[cmcc-a].bind: must be written as [[carrier.bind]]"),
    ("category/otp", "resend", "category.otp: must be a table"),
]


@pytest.mark.parametrize(("place", "value", "fault"), WRONG_VALUES)
def test_a_wrong_value_is_refused_with_setting_value_and_rule(
    place: str, value: Any, fault: str, tmp_path: Path
) -> None:
    assert fault_of(tmp_path, with_value(place, value)) == fault


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("htttp", "htttp: is not a setting; did you mean http?"),
        ("accounts", "accounts: is not a setting; did you mean account?"),
        ("http/lisen", "http.lisen: is not a setting; did you mean listen?"),
        (
            "carrier/0/bind/0/pasword",
            "carrier[cmcc-a].bind[cmcc-a-1].pasword: is not a setting; did you mean password?",
        ),
        ("log/colour", "log.colour: is not a setting; known here are level, format"),
        ("category/sales", "category.sales: is not a setting; known here are otp, notification, marketing"),
        ("node/a b\n", r'node."a b\n": is not a setting; known here are number'),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_that_is_known(place: str, fault: str, tmp_path: Path) -> None:
    assert fault_of(tmp_path, with_value(place, "x")) == fault


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("accounts", {"directory": "accounts.d"}),
    ],
)
def test_a_setting_that_would_have_no_effect_is_refused_and_not_ignored(place: str, value: Any, tmp_path: Path) -> None:
    setting = place.rpartition("/")[2]

    assert re.search(rf"\b{setting}: is not a setting; ", fault_of(tmp_path, with_value(place, value)))


@pytest.mark.parametrize(
    ("place", "name", "fault"),
    [
        ("account/0", "name", "account[1].name: must be set"),
        ("carrier/0/bind/0", "host", "carrier[cmcc-a].bind[cmcc-a-1].host: must be set"),
        ("carrier/0/bind/0", "name", "carrier[cmcc-a].bind[1].name: must be set"),
        ("carrier/0/bind/0", "password", "carrier[cmcc-a].bind[cmcc-a-1].password: must be set"),
        ("route/0", "carriers", "route[1].carriers: must be set"),
        ("account/0", "key", "account[demo].key: must be set, or key_sha256"),
        ("carrier/0", "bind", "carrier[cmcc-a].bind: must have at least one [[carrier.bind]] that sends"),
        ("", "carrier", "carrier: must have at least one [[carrier]]"),
    ],
)
def test_what_is_missing_is_named(place: str, name: str, fault: str, tmp_path: Path) -> None:
    document = a_document()
    if name == "carrier":
        del document["route"]
    table: Any = document
    for step in filter(None, place.split("/")):
        table = table[int(step)] if isinstance(table, list) else table[step]
    del table[name]

    assert fault_of(tmp_path, document) == fault


def every_type(kind: Any) -> Iterator[Any]:
    """The declared types of all settings, and of what their lists hold."""
    bare = declared(kind)
    match bare:
        case inspect.StructType():
            for field in bare.fields:
                yield from every_type(field.type)
        case inspect.VarTupleType():
            yield kind
            yield from every_type(bare.item_type)
        case _:
            yield kind


def test_every_declared_type_has_a_rule_in_words_and_no_pattern_is_shown() -> None:
    for kind in every_type(inspect.type_info(Config)):
        rule = rule_of(kind, value=object(), place="x")
        assert rule is not None
        assert rule.startswith("must be ")
        text_rule = rule_of(kind, value="", place="x") or ""
        assert "must match" not in text_rule


def test_what_a_table_says_of_itself_in_other_words_is_handed_on() -> None:
    class Odd(msgspec.Struct, frozen=True):
        left: int = 0

        def __post_init__(self) -> None:
            raise ValueError("two settings do not go together")

    class Root(msgspec.Struct, frozen=True):
        odd: Odd | None = None

    document: Document = {"odd": {"left": 1}}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(document, Root)

    assert str(from_validation_error(caught.value, document, Root)) == "odd: two settings do not go together"
