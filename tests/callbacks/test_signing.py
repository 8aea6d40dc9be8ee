"""A callback can be verified by what the documentation says."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.callbacks.settings import CallbackSettings
from gateway.callbacks.signing import signed_headers, webhook_id
from gateway.store.api import EventId
from tests.callbacks.conftest import SECRET

DOCS = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")
BODY = '{"events":[{"text":"谢谢"}]}'.encode()
KEY = CallbackSettings(url="http://127.0.0.1/", secret=SECRET).key


@pytest.fixture
def documented() -> Any:
    """The function of the documentation."""
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)[1], names)
    return names["is_genuine"]


def test_the_function_of_the_documentation_takes_what_is_genuine(documented: Any) -> None:
    headers = signed_headers(KEY, "evb_1", int(time.time()), BODY)

    assert documented(SECRET, headers, BODY)
    assert Webhook(SECRET).verify(BODY, headers)
    two = headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert documented(SECRET, two, BODY)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_and_nothing_else(documented: Any, header: str) -> None:
    headers = signed_headers(KEY, "evb_1", int(time.time()), BODY)

    assert not documented(SECRET, headers, BODY + b" ")
    assert not documented(SECRET, headers | {header: headers[header] + "1"}, BODY)
    assert not documented(SECRET, {name: value for name, value in headers.items() if name != header}, BODY)
    assert not documented("whsec_" + "A" * 44, headers, BODY)
    assert not documented(SECRET, signed_headers(KEY, "evb_1", int(time.time()) - 301, BODY), BODY)


def test_the_id_of_a_request_follows_from_its_events() -> None:
    ids = [EventId(n) for n in (1, 2, 12)]

    assert webhook_id(ids) == webhook_id(ids)
    assert len({webhook_id(ids), webhook_id(ids[:2]), webhook_id([EventId(1), EventId(21), EventId(2)])}) == 3
