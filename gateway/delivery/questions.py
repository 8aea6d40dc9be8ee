"""Requests about messages that a carrier took: answered once, in time or not at all."""

import asyncio

from gateway.smpp import Body, ResponseReceived


class Question:
    """What the session hands back with the answer."""

    def __init__(self) -> None:
        self.response: Body | None = None  # what the answer said, once there is one
        self.answered: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def answer(self, event: ResponseReceived) -> None:
        """It was answered with a status."""
        self.response = event.response
        self._settle(event.command_status)

    def give_up(self) -> None:
        """It was not, and will not be."""
        self._settle(None)

    def _settle(self, status: int | None) -> None:
        if not self.answered.done():
            self.answered.set_result(status)
