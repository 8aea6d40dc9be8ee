"""An account may be for some addresses only, whatever else its key may do."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.account import Account
from gateway.http.addresses import is_within
from tests.http.conftest import ACCOUNTS

NETWORKS = [ip_network("10.1.0.0/16"), ip_network("192.0.2.7"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize("remote", ["10.1.255.255", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3", "2001:db8::1%eth0"])
def test_an_address_in_one_of_the_networks_is_within(remote: str) -> None:
    assert is_within(remote, NETWORKS)


@pytest.mark.parametrize("remote", ["10.2.0.0", "192.0.2.8", "2001:db9::1", "::ffff:10.2.0.0", "::10.1.2.3", None])
def test_others_are_not_and_neither_is_what_has_no_address(remote: str | None) -> None:
    assert not is_within(remote, NETWORKS)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/account", "/v1/messages/1"])
async def test_a_key_from_elsewhere_is_refused_before_anything_is_looked_up(
    path: str, make_api: Callable[..., Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ACCOUNTS, "far-key", Account(name="far", addresses=(ip_network("192.0.2.0/24"),)))
    monkeypatch.setitem(ACCOUNTS, "near-key", Account(name="near", addresses=(ip_network("127.0.0.0/8"),)))
    api = await make_api()

    far = await api.get(path, key="far-key", headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"})
    near = await api.get(path, key="near-key")

    assert (far.status, far.json["code"]) == (403, "forbidden")
    assert far.json["detail"] == "This key is not for requests from this address."
    assert near.status in {200, 404}
