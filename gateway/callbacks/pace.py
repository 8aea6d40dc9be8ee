"""How fast an account is called: so many requests a second, and pauses that grow while they fail."""

import asyncio

from gateway.callbacks.post import Answer
from gateway.callbacks.settings import CallbackSettings


class Pace:
    """Lets so many pass in a second, evenly."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is one's turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._interval
        if turn > now:
            await asyncio.sleep(turn - now)


def pause_seconds(settings: CallbackSettings, failures: int, answer: Answer, *, random: float) -> float:
    """How long to wait after so many failures in a row: twice as long each time, or as the receiver asks for."""
    longest = settings.retry_longest_seconds
    grown = min(longest, settings.retry_first_seconds * 2.0 ** min(failures - 1, 30))
    return max(grown * (1 - 0.5 * random), min(longest, answer.retry_after_seconds))
