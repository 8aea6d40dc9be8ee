"""Whatever is posted, the answer is one that the contract has: never a 500, and the server goes on."""

import json
import string
from typing import Any
from urllib.parse import quote

import msgpack
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.http.fields import MESSAGE

ANSWERS = {200, 202, 400, 409, 413, 415, 422}
FIXTURE = [HealthCheck.function_scoped_fixture]

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=20) | st.sampled_from(["13800138000", "otp"])
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.datetimes().map(lambda at: at.isoformat())
)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
messages = st.fixed_dictionaries(
    {"to": texts | st.lists(texts) | anything, "text": texts | anything},
    optional={name: anything for name in MESSAGE if name not in {"to", "text"}},
)
contents = anything | messages | st.lists(messages, max_size=5)


def escaped(content: Any) -> bytes:
    """JSON that may have halves of surrogate pairs in it, as escapes; and NaN, which is none."""
    return json.dumps(content).encode("ascii")


def packed(content: Any) -> bytes:
    return bytes(msgpack.packb(content, unicode_errors="surrogatepass", default=str))


def strip(content: Any) -> Any:
    """Integers that MessagePack has no room for, cut down."""
    if isinstance(content, dict):
        return {name: strip(value) for name, value in content.items()}
    if isinstance(content, list):
        return [strip(value) for value in content]
    return content % 2**63 if isinstance(content, int) and not isinstance(content, bool) else content


@given(content=contents)
@settings(max_examples=300, deadline=None, suppress_health_check=FIXTURE)
async def test_arbitrary_json_is_answered(api: Any, content: Any) -> None:
    reply = await api.post(escaped(content))

    assert reply.status in ANSWERS, reply.body


@given(content=contents)
@settings(max_examples=200, deadline=None, suppress_health_check=FIXTURE)
async def test_arbitrary_messagepack_is_answered(api: Any, content: Any) -> None:
    reply = await api.post(packed(strip(content)), headers={"Content-Type": "application/msgpack"})

    assert reply.status in ANSWERS, reply.body


VALID = [
    {"to": "13800138000", "text": "您的验证码是246810", "category": "otp", "valid_for_seconds": 60},
    {"to": ["13800138000", "+13105551234"], "text": "停水通知 \U0001f6b0", "send_at": "2026-03-01T08:00:00+08:00"},
]


@given(data=st.data(), valid=st.sampled_from([*VALID, VALID[:1] * 3]), form=st.sampled_from(["json", "msgpack"]))
@settings(max_examples=400, deadline=None, suppress_health_check=FIXTURE)
async def test_damaged_valid_bodies_are_answered(api: Any, data: st.DataObject, valid: Any, form: str) -> None:
    body = bytearray(msgspec.json.encode(valid) if form == "json" else msgspec.msgpack.encode(valid))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "drop"])):
            case "change":
                body[place] = data.draw(st.integers(0, 255))
            case "cut":
                body = body[: place + 1]
            case "insert":
                body[place:place] = data.draw(st.binary(min_size=1, max_size=4))
            case "drop":
                del body[place : place + data.draw(st.integers(1, 4))]
        body = body or bytearray(b"x")

    reply = await api.post(bytes(body), headers={"Content-Type": f"application/{form}"})

    assert reply.status in ANSWERS, reply.body


@given(
    query=st.text(string.printable.replace("#", ""), max_size=40),
    name=st.sampled_from(["to", "since", "cursor", "limit", "x"]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=FIXTURE)
async def test_arbitrary_queries_are_answered(api: Any, query: str, name: str) -> None:
    for text in (f"{name}={quote(query)}", f"{name}={quote(query, safe='%&=+;?/')}"):
        reply = await api.get(f"/v1/messages?{text}")

        assert reply.status in {200, 400}, reply.body


@given(path=texts.map(lambda text: text.encode("utf-8", "replace")), data=contents)
@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURE)
async def test_arbitrary_ids_and_filters_are_answered(api: Any, path: bytes, data: Any) -> None:
    one = await api.get("/v1/messages/" + quote(path, safe=""))
    search = await api.call(
        "POST", "/v1/messages/search", data=escaped(data), headers={"Content-Type": "application/json"}
    )

    assert one.status in {200, 404}, one.body
    assert search.status in {200, 400}, search.body
