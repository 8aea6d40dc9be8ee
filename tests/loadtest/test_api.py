from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from loadtest.api import Api
from loadtest.errors import CannotRun

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[Api]:
    """A stand-in for the gateway, and a client of it."""
    app = web.Application()
    paths = {"submit": ("POST", "/v1/messages"), "list": ("GET", "/v1/messages"), "metrics": ("GET", "/metrics")}
    for name, handler in handlers.items():
        app.router.add_route(*paths[name], handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Api(f"http://127.0.0.1:{runner.addresses[0][1]}", "demo-key") as api:
            yield api
    finally:
        await runner.cleanup()


async def test_a_request_carries_key_and_body_and_its_answer_comes_back_with_its_time():
    async def submit(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer demo-key"
        assert request.content_type == "application/json"
        return web.Response(body=await request.read(), status=202)

    async with serving(submit=submit) as api:
        reply = await api.submit(b"[]")
    assert (reply.status, reply.body, reply.tries) == (202, b"[]", 1)
    assert 0 < reply.seconds < 5


async def test_a_request_is_sent_again_when_the_gateway_asks_for_time():
    answers = iter((429, 503, 202))

    async def submit(_: web.Request) -> web.Response:
        return web.Response(status=next(answers), headers={"Retry-After": "0.01"})

    async with serving(submit=submit) as api:
        reply = await api.submit(b"{}")
    assert (reply.status, reply.tries) == (202, 3)
    assert reply.seconds >= 0.02


async def test_every_page_of_a_list_is_read():
    async def listing(request: web.Request) -> web.Response:
        assert request.query["status"] == "queued"
        number = int(request.query.get("cursor", "0"))
        message = {"id": str(number), "status": "queued", "to": "+8613812345678", "network": "cmcc", "parts": []}
        return web.json_response({"messages": [message], "cursor": str(number + 1) if number < 2 else None})

    async with serving(list=listing) as api:
        assert [message.id async for page in api.pages(status="queued") for message in page] == ["0", "1", "2"]


async def test_an_answer_other_than_200_to_a_question_is_shown():
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(status=403, text="needs the scope metrics")

    async with serving(metrics=metrics) as api:
        with pytest.raises(CannotRun, match="403 to GET /metrics: needs the scope metrics"):
            await api.total("gateway_messages_finished_total")


async def test_a_gateway_that_is_not_there_is_named():
    async with serving() as api:
        pass
    async with Api(api.base_url, "demo-key") as gone:
        with pytest.raises(CannotRun, match=rf"cannot be asked: POST {api.base_url}"):
            await gone.submit(b"{}")


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080", "http://sms.example.com", "http://0.0.0.0:80", "http:///x"])
def test_no_other_machine_may_be_sent_to(url: str):
    with pytest.raises(CannotRun, match="must be on loopback"):
        Api(url, "demo-key")
