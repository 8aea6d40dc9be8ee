"""What every answer has in common, and what happens at the edges of HTTP. Over real sockets."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Make = Callable[..., Awaitable[Any]]

HELLO = {"to": "13800138000", "text": "您好"}


async def test_every_answer_has_its_own_request_id_and_tells_nothing_of_the_software(api: Any) -> None:
    replies = [
        await api.post(HELLO, headers={"X-Request-Id": "mine\u00e9"}),
        await api.post(b"{"),
        await api.get("/nowhere"),
        await api.get("/healthz", key=None),
        await api.get("/metrics", key=None),
        await api.post(HELLO, key=None),
    ]

    ids = [reply.headers["X-Request-Id"] for reply in replies]
    assert len(set(ids)) == len(ids)
    for reply in replies:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", reply.headers["X-Request-Id"])
        assert reply.headers["Server"] == "yizhan"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"


async def test_a_missing_or_wrong_key_is_unauthorized(api: Any) -> None:
    missing = await api.post(HELLO, key=None)
    wrong = await api.post(HELLO, key="wrong-key")
    basic = await api.call("GET", "/v1/messages", key=None, headers={"Authorization": "Basic YTpi"})

    for reply in (missing, wrong, basic):
        assert (reply.status, reply.json["code"]) == (401, "unauthorized")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert b"wrong-key" not in reply.body


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/v1/messages", "send-key"),
        ("GET", "/v1/messages/1", "send-key"),
        ("POST", "/v1/messages/search", "send-key"),
        ("GET", "/v1/account", "metrics-key"),
        ("POST", "/v1/messages", "review-key"),
        ("GET", "/v1/carriers", "alpha-key"),
    ],
)
async def test_a_key_without_the_scope_is_forbidden(api: Any, method: str, path: str, key: str) -> None:
    reply = await api.call(method, path, key=key)

    assert (reply.status, reply.json["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "path", ["/index", "/v1", "/v1/", "/v1/messages/", "/v1/messages/1/2", "/v2/messages", "/v1/carriers/x", "//"]
)
async def test_an_unknown_path_is_not_found(api: Any, path: str) -> None:
    reply = await api.get(path)

    assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/messages", "GET, HEAD, POST"),
        ("PUT", "/v1/messages/1", "GET, HEAD"),
        ("GET", "/v1/messages/search", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/messages", "GET, HEAD, POST"),
    ],
)
async def test_another_method_is_not_allowed_and_told_which_are(api: Any, method: str, path: str, allow: str) -> None:
    reply = await api.call(method, path)

    assert (reply.status, reply.json["code"], reply.headers["Allow"]) == (405, "method_not_allowed", allow)


async def test_head_is_get_without_its_body(api: Any) -> None:
    reply = await api.call("HEAD", "/healthz")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Length"] == "15"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk"]
)
async def test_another_content_type_is_not_supported(api: Any, content_type: str) -> None:
    reply = await api.post(HELLO, headers={"Content-Type": content_type})

    assert (reply.status, reply.json["code"]) == (415, "unsupported_media_type")


async def test_a_compressed_body_is_not_taken(api: Any) -> None:
    reply = await api.post(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert (reply.status, reply.json["code"]) == (415, "unsupported_media_type")


async def test_parameters_beside_a_body_are_refused_and_not_quoted(api: Any) -> None:
    reply = await api.call("POST", "/v1/messages/search?to=13800138000", json={})

    assert reply.status == 400
    assert b"13800138000" not in reply.body


async def test_a_body_of_nine_megabytes_is_too_large_and_not_asked_for(api: Any) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alpha-key\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 9437184\r\nExpect: 100-continue\r\n\r\n"

    answer = await api.raw(head)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_of_nine_megabytes_that_is_sent_all_the_same_is_answered(api: Any) -> None:
    reply = await api.post(b"[" + b" " * 9_437_184 + b"]")

    assert (reply.status, reply.json["code"]) == (413, "too_large")
    assert (await api.post(HELLO)).status == 202


async def test_a_chunked_body_of_nine_megabytes_is_too_large(api: Any) -> None:
    async def pieces() -> Any:
        for _ in range(9 * 16):
            yield b" " * 65_536

    reply = await api.call("POST", "/v1/messages", data=pieces(), headers={"Content-Type": "application/json"})

    assert (reply.status, reply.json["code"]) == (413, "too_large")
    assert (await api.post(HELLO)).status == 202


async def test_a_body_at_the_limit_is_taken_and_one_octet_more_is_not(make_api: Make) -> None:
    api = await make_api(max_body_bytes=1024)
    body = b'{"to":"13800138000","text":"hi"}'

    assert (await api.post(body + b" " * (1024 - len(body)))).status == 202
    assert (await api.post(body + b" " * (1025 - len(body)))).status == 413


async def test_a_client_that_waits_to_be_asked_is_asked(api: Any) -> None:
    reply = await api.post(HELLO, expect100=True)

    assert reply.status == 202


async def test_a_body_in_pieces_is_one_body(api: Any) -> None:
    async def pieces() -> Any:
        for piece in (b'{"to":"138001', b'38000","te', b'xt":"hello"}'):
            yield piece
            await asyncio.sleep(0.01)

    reply = await api.call("POST", "/v1/messages", data=pieces(), headers={"Content-Type": "application/json"})

    assert reply.status == 202


async def test_a_body_that_does_not_come_is_given_up(make_api: Make) -> None:
    api = await make_api(body_timeout_seconds=0.1)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alpha-key\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

    answer = await api.raw(head)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer


async def test_a_body_that_breaks_off_costs_nothing_but_itself(api: Any) -> None:
    _, writer = await asyncio.open_connection(*api.server.address)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alpha-key\r\n"
    writer.write(head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)

    assert api.metrics.requests == [("POST /v1/messages", 400)]
    assert (await api.post(HELLO)).status == 202


async def test_a_badly_chunked_body_is_a_malformed_request(api: Any) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alpha-key\r\n"
    answer = await api.raw(head + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    assert answer.startswith(b"HTTP/1.0 400 ")


async def test_more_unread_bodies_than_the_limit_are_put_off(make_api: Make) -> None:
    api = await make_api(max_body_bytes=100_000, max_unread_bytes=100_000)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alpha-key\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
    reader, writer = await asyncio.open_connection(*api.server.address)
    writer.write(head + b" " * 80_000)
    await asyncio.sleep(0.05)

    second = await api.raw(head + b" " * 80_000)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)

    assert second.startswith(b"HTTP/1.1 429 ")
    assert b"Retry-After: 5" in second
    assert (await api.post(b" " * 90_000 + b'{"to":"13800138000","text":"hi"}')).status == 202
    assert reader.at_eof()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/messages?to=13800138000 HTTP/9.9.9\r\n\r\n",
        b"BREW /v1/messages HTTP/1.1\r\n\r\n",
        b"GET /v1/messages HTTP/1.1\r\nto 13800138000\r\n\r\n",
        b"GET /" + b"13800138000" * 1000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"13800138000" * 1000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: 13800138000\r\n" * 500 + b"\r\n",
        b"POST /v1/messages HTTP/1.1\r\nContent-Length: 13800138000x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_our_words_and_not_quoted(
    api: Any, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await api.raw(octets + b"\r\n\r\n", until_closed=True)

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"code":"invalid_request"' in answer
    assert b"13800138000" not in answer
    assert "13800138000" not in caplog.text
    assert ("unknown", 400) in api.metrics.requests


async def test_requests_in_one_packet_are_answered_in_order(api: Any) -> None:
    answer = await api.raw(
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        until_closed=True,
    )

    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", answer)] == [200, 404]


async def test_http_1_0_is_answered_and_closed(api: Any) -> None:
    answer = await api.raw(b"GET /healthz HTTP/1.0\r\n\r\n", until_closed=True)

    assert answer.endswith(b'{"status":"ok"}')


async def test_a_bug_in_a_handler_costs_one_request_and_is_logged_without_what_it_says(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> Any:
        raise KeyError("13800138000")

    api.server._submit._intake.submit = broken

    reply = await api.post(HELLO)

    assert (reply.status, reply.json["code"]) == (500, "internal")
    assert b"KeyError" not in reply.body
    [record] = caplog.records
    assert reply.headers["X-Request-Id"] in record.getMessage()
    assert "KeyError" in record.getMessage()
    assert "13800138000" not in caplog.text
    assert (await api.get("/healthz")).status == 200


async def test_nothing_is_logged_of_ordinary_requests(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="gateway"), caplog.at_level(logging.DEBUG, logger="aiohttp"):
        await api.post(HELLO)
        await api.post(HELLO, key="wrong-key")
        await api.get("/v1/messages?to=13800138000")
        await api.post({"to": 13800138000})

    assert "13800138000" not in caplog.text
    assert "key" not in caplog.text


async def test_every_request_is_counted_by_route_and_status(api: Any) -> None:
    await api.post(HELLO)
    await api.post([])
    await api.get("/v1/messages/12345")
    await api.get("/v1/messages?limit=1")
    await api.call("HEAD", "/healthz")
    await api.get("/13800138000")
    await api.get("/v1/messages", key=None)

    assert api.metrics.requests == [
        ("POST /v1/messages", 202),
        ("POST /v1/messages", 400),
        ("GET /v1/messages/{id}", 404),
        ("GET /v1/messages", 200),
        ("GET /healthz", 200),
        ("unknown", 404),
        ("GET /v1/messages", 401),
    ]


async def test_a_taken_port_is_an_error_that_names_it(api: Any, make_api: Make) -> None:
    host, port = api.server.address

    with pytest.raises(OSError, match=str(port)):
        await make_api(listen=f"{host}:{port}")


async def test_a_stopped_server_takes_no_connection_and_can_be_stopped_again(api: Any) -> None:
    host, port = api.server.address
    await api.server.stop()
    await api.server.stop()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)


async def test_an_idle_connection_is_closed(make_api: Make) -> None:
    api = await make_api(keep_alive_seconds=0.1)

    assert await api.raw(b"GET /healthz HTTP/1.1\r\n", until_closed=True) == b""
