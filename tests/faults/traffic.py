"""Applications that send all the time, and ask again under the same `client_ref` until they are answered."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec

from tests.faults.rig import KEY

CLIENTS: Final = 4
BATCH: Final = 10
CROWD: Final = [f"1370013{n:04d}" for n in range(5_000, 5_040)]  # numbers that are asked to take more than they may
CROWD_CAP: Final = 3
_CATEGORIES: Final = ("otp", "notification", "notification", "marketing", "marketing")
_ASK_AGAIN_SECONDS: Final = 0.1
_LAST_ANSWER_SECONDS: Final = 60.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class Accepted(msgspec.Struct, frozen=True):
    """A message whose acceptance was answered."""

    client_ref: str
    to: str
    category: str
    parts: int


class Traffic:
    """Messages to numbers of their own, and some to a crowd that is small; what was answered to each.

    Every request is repeated until it is answered with 202, whatever happens to the gateway in between.
    """

    def __init__(self, url: Callable[[], str], chance: random.Random, *, messages_per_second: float = 200.0) -> None:
        self.accepted: dict[str, Accepted] = {}  # by message id
        self.refused: Counter[str] = Counter()  # by code
        self.asked_of_crowd: Counter[str] = Counter()  # answered either way, by number
        self.statuses: Counter[int] = Counter()  # of answers
        self.slowest_seconds = 0.0  # of answers
        self.unanswered = 0  # requests that broke off, or were not let in
        self._url = url
        self._chance = chance
        self._pause_seconds = CLIENTS * BATCH / messages_per_second
        self._numbers = count()
        self._first = chance.randrange(10_000_000)
        self._name = f"{chance.getrandbits(32):08x}"
        self._stopping = asyncio.Event()
        self._clients: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Send from now on."""
        self._stopping.clear()
        self._clients = [asyncio.create_task(self._send()) for _ in range(CLIENTS)]

    async def stop(self) -> None:
        """Send no more, when what is under way has been answered. Raises TimeoutError where it is not."""
        self._stopping.set()
        async with asyncio.timeout(_LAST_ANSWER_SECONDS):
            await asyncio.gather(*self._clients)

    def abandon(self) -> None:
        """Send no more, and wait for no answer."""
        for client in self._clients:
            client.cancel()

    def check(self) -> None:
        """Raise what has ended a client."""
        for client in self._clients:
            if client.done():
                client.result()

    async def _send(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT, trust_env=False) as session:
            while not self._stopping.is_set():
                await self._submit(session, [self._message(next(self._numbers)) for _ in range(BATCH)])
                await asyncio.sleep(self._pause_seconds * self._chance.uniform(0.5, 1.5))

    async def _submit(self, session: aiohttp.ClientSession, messages: list[dict[str, Any]]) -> None:
        while messages:
            body = json.dumps(messages).encode()
            sent_at = time.monotonic()
            try:
                async with session.post(f"{self._url()}/v1/messages", data=body) as response:
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError):
                self.unanswered += 1
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
                continue
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - sent_at)
            self.statuses[response.status] += 1
            if response.status == 202:
                results = zip(messages, answer["results"], strict=True)
                # Where some of an array are on disk already, the others may still find it broken: these come again.
                messages = [message for message, result in results if not self._note(message, result)]
                if messages:
                    await asyncio.sleep(_ASK_AGAIN_SECONDS)
                continue
            assert response.status in {429, 503}, f"{response.status} to a good request: {answer}"
            await asyncio.sleep(float(response.headers["Retry-After"]))

    def _note(self, message: dict[str, Any], result: dict[str, Any]) -> bool:
        """Whether it was answered for good."""
        if result["status"] == "refused" and result["error"]["code"] == "store_unavailable":
            return False
        if message["to"] in CROWD:
            self.asked_of_crowd[message["to"]] += 1
        if result["status"] == "refused":
            self.refused[result["error"]["code"]] += 1
            return True
        self.accepted[result["id"]] = Accepted(
            message["client_ref"], message["to"], message["category"], result["parts"]
        )
        return True

    def _message(self, n: int) -> dict[str, Any]:
        """The n-th message; each has a text of its own."""
        to_crowd = self._chance.random() < 0.1
        category = "notification" if to_crowd else self._chance.choice(_CATEGORIES)
        text = f"您好，第{n}号快递已放入驿站，请及时领取。"
        if category == "otp":
            text = f"验证码{n % 900_000 + 100_000}，五分钟内有效。第{n}次。"
        elif self._chance.random() < 0.1:
            text += f"此件到付，凭第{n}号取件，逾期将退回发件人。" * 6  # no part of it is another message's
        # The last four digits are never 0000 to 0099: these ask the simulator for something.
        number = (self._first + n) % 10_000_000
        to = self._chance.choice(CROWD) if to_crowd else f"138{number // 1_000:04d}5{number % 1_000:03d}"
        return {"to": to, "text": text, "category": category, "client_ref": f"{self._name}-{n}"}
