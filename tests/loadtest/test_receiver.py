import asyncio

import aiohttp
import msgspec

from loadtest.api import Api
from loadtest.receiver import EventSeen, poll_events, receiving


async def test_events_that_are_posted_are_taken_and_answered():
    taken: list[EventSeen] = []
    body = msgspec.json.encode({"events": [{"type": "message.delivered", "client_ref": "a", "id": "1"}] * 3})
    async with receiving(taken.extend) as url, aiohttp.ClientSession() as session:
        async with session.post(url, data=body) as response:
            assert response.status == 200
        async with session.post(url, data=b"not events") as response:
            assert response.status == 400
    assert taken == [EventSeen("message.delivered", "a")] * 3


async def test_events_are_asked_for_page_after_page_from_the_cursor_on():
    pages = {
        "": {"events": [{"type": "message.delivered", "client_ref": "a"}], "cursor": "x"},
        "x": {"events": [{"type": "message.failed", "client_ref": "b"}], "cursor": "y"},
        "y": {"events": [], "cursor": "y"},
    }
    taken: list[EventSeen] = []

    class Gateway(Api):
        async def events(self, cursor: str, *, limit: int) -> bytes:
            assert limit == 1000
            return msgspec.json.encode(pages[cursor])

    async with asyncio.timeout(20):
        polling = asyncio.create_task(poll_events(Gateway("http://127.0.0.1:1", "key"), taken.extend))
        while len(taken) < 2:
            await asyncio.sleep(0.01)
        polling.cancel()
    assert [event.client_ref for event in taken] == ["a", "b"]
