"""GET /v1/inbound: each account sees what was written to it, operators see everything."""

from urllib.parse import quote

import msgspec
import pytest

from gateway.message import IdSource, MessageId
from gateway.store.api import InboundMessage
from tests.http.conftest import NOW, Api

ALPHA = InboundMessage(MessageId(0), "cmcc-a", "+8613800138000", "10690001", "收到", 0, "alpha", MessageId(7))


@pytest.fixture(name="written")
async def written_fixture(api: Api) -> list[InboundMessage]:
    """Seven messages, a second apart, to alpha, beta and nobody in turn; the last is NOW."""
    ids = IdSource(node=2, last=MessageId(0))
    messages = []
    for n in range(7):
        at = NOW - (6 - n) * 1_000
        account = ("alpha", "beta", "")[n % 3]
        message = msgspec.structs.replace(ALPHA, id=ids.next(at), at=at, account=account, text=f"{n}")
        messages.append(message)
        await api.store.append_inbound(message)
    return messages


async def texts(api: Api, path: str = "/v1/inbound", key: str = "alpha-key") -> list[str]:
    reply = await api.get(path, key=key)
    assert reply.status == 200, reply.body
    return [message["text"] for message in reply.json["messages"]]


async def test_a_message_is_shown_whole(api: Api, written: list[InboundMessage]) -> None:
    reply = await api.get("/v1/inbound?limit=1")
    assert reply.json["messages"] == [
        {
            "id": str(written[6].id),
            "account": "alpha",
            "from": "+8613800138000",
            "to": "10690001",
            "text": "6",
            "at": "2026-03-01T00:00:00.000+00:00",
            "answers": "7",
            "missing": [],
            "carrier": "cmcc-a",
        }
    ]


async def test_an_account_sees_its_own_newest_first(api: Api, written: list[InboundMessage]) -> None:
    assert await texts(api) == ["6", "3", "0"]
    assert await texts(api, key="beta-key") == ["4", "1"]
    assert await texts(api, key="high-key") == []


@pytest.mark.parametrize("key", ["operate-key", "review-key"])
async def test_who_operates_sees_all_and_what_is_nobodys(api: Api, written: list[InboundMessage], key: str) -> None:
    assert await texts(api, key=key) == ["6", "5", "4", "3", "2", "1", "0"]
    reply = await api.get("/v1/inbound", key=key)
    assert [message["account"] for message in reply.json["messages"][:2]] == ["alpha", None]


async def test_pages_follow_each_other(api: Api, written: list[InboundMessage]) -> None:
    found, cursor = [], ""
    for _ in range(4):
        reply = await api.get(f"/v1/inbound?limit=1{cursor}")
        found += [message["text"] for message in reply.json["messages"]]
        if reply.json["cursor"] is None:
            break
        cursor = f"&cursor={reply.json['cursor']}"
    assert found == ["6", "3", "0"]
    assert reply.json["cursor"] is None


async def test_since_is_a_day_ago_unless_it_is_said(api: Api, written: list[InboundMessage]) -> None:
    since = quote("2026-02-28T23:59:57+00:00")
    assert await texts(api, f"/v1/inbound?since={since}") == ["6", "3"]
    api.clock.now = NOW + 86_400_000 - 3_000
    assert await texts(api) == ["6", "3"]


@pytest.mark.parametrize(
    ("query", "parameter"), [("cursor=x", "cursor"), ("limit=0", "limit"), ("since=now", "since"), ("to=1", "to")]
)
async def test_a_wrong_parameter_is_named(api: Api, query: str, parameter: str) -> None:
    reply = await api.get(f"/v1/inbound?{query}")
    assert reply.status == 400
    assert reply.json["errors"][0]["parameter"] == parameter


async def test_it_needs_the_scope_read(api: Api) -> None:
    assert (await api.get("/v1/inbound", key="send-key")).status == 403
    assert (await api.get("/v1/inbound", key=None)).status == 401
