"""Wrong settings of callbacks are refused, and secrets are never shown."""

import base64

import pytest

from gateway.callbacks.settings import STORED_TYPES, CallbackSettings, EventType
from gateway.message import FINAL
from gateway.store.api import INBOUND
from tests.callbacks.conftest import SECRET


def test_an_account_is_told_of_final_states_and_of_what_subscribers_write_if_nothing_else_is_said():
    assert CallbackSettings().stored_types == FINAL | {INBOUND}
    assert len(set(STORED_TYPES.values())) == len(EventType)


@pytest.mark.parametrize(
    "url",
    [
        "example.com/hook",
        "ftp://example.com",
        "https://",
        "https://u:p@example.com",
        "https://example.com/#x",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://exa mple.com",
        "https://[::1/",
        "https://e.com/\n",
    ],
)
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(ValueError, match=r"^url = \(hidden\): must be http:// or https://"):
        CallbackSettings(url=url, secret=SECRET)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "secret",
        SECRET.removeprefix("whsec_"),
        "whsec_???",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_a_url_needs_a_secret_as_standard_webhooks_has_it(secret):
    with pytest.raises(ValueError, match=r"^secret = \(hidden\): must be whsec_"):
        CallbackSettings(url="https://example.com/hook", secret=secret)
