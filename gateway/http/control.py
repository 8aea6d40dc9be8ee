"""What an account may still do about messages that it handed in: cancel one; see, pause, resume and cancel a batch."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

import msgspec

from gateway.account import Scope
from gateway.controls import BatchState, Cancelled, TooManyStopped
from gateway.http.answers import message_view
from gateway.http.calls import Answer, Call, answer
from gateway.http.messages import parse_id
from gateway.http.problems import Code, Problem
from gateway.http.routes import Route
from gateway.message import MessageId, Status
from gateway.store.api import StoreError

T = TypeVar("T")

CANCEL_WAIT_SECONDS: Final = 10.0  # then the answer goes out, and what is left of a batch is cancelled behind it


class Batches(Protocol):
    """Whole batches. None: the account has none of that name."""

    async def state(self, account: str, batch: str) -> BatchState | None: ...

    async def pause(self, account: str, batch: str) -> BatchState | None: ...

    async def resume(self, account: str, batch: str) -> BatchState | None: ...

    async def cancel(self, account: str, batch: str, *, wait_seconds: float) -> BatchState | None: ...


class BatchView(msgspec.Struct, frozen=True):
    """A batch as the API shows it. `total`: what was accepted."""

    batch: str
    state: str
    total: int
    counts: dict[Status, int]
    refused: int
    segments: int


class ControlCalls:
    """Controls an account's own messages, and no others."""

    def __init__(self, cancel: Callable[[MessageId, str], Awaitable[Cancelled | None]], batches: Batches) -> None:
        self._cancel = cancel
        self._batches = batches

    def routes(self) -> Sequence[Route]:
        batch = "/v1/batches/{batch}"
        return [
            Route(method="POST", path="/v1/messages/{id}/cancel", handler=self.cancel, scope=Scope.SEND),
            Route(method="GET", path=batch, handler=self.show, scope=Scope.READ),
            Route(method="POST", path=f"{batch}/pause", handler=self.pause, scope=Scope.SEND),
            Route(method="POST", path=f"{batch}/resume", handler=self.resume, scope=Scope.SEND),
            Route(method="POST", path=f"{batch}/cancel", handler=self.cancel_batch, scope=Scope.SEND),
        ]

    async def cancel(self, call: Call) -> Answer:
        """Cancel one message. Raises Problem (404, 409)."""
        message_id = parse_id(call.argument)
        cancelled = None if message_id is None else await _writing(self._cancel(message_id, call.account.name))
        if cancelled is None:
            raise Problem(Code.NOT_FOUND, "There is no message with this id.")
        if not cancelled.done:
            status = cancelled.record.status
            raise Problem(Code.NOT_CANCELLABLE, f"The message is {status}: it cannot be called back any more.")
        return answer(call, message_view(cancelled.record, mask_codes=call.account.sees_all))

    async def show(self, call: Call) -> Answer:
        """One batch."""
        batch = _batch_of(call)
        try:
            return _shown(call, batch, await self._batches.state(call.account.name, batch))
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "The store cannot be read at the moment.") from None

    async def pause(self, call: Call) -> Answer:
        """Let nothing more of a batch go."""
        batch = _batch_of(call)
        return _shown(call, batch, await _writing(self._batches.pause(call.account.name, batch)))

    async def resume(self, call: Call) -> Answer:
        """Let a paused batch go on."""
        batch = _batch_of(call)
        return _shown(call, batch, await _writing(self._batches.resume(call.account.name, batch)))

    async def cancel_batch(self, call: Call) -> Answer:
        """Cancel everything of a batch that waits."""
        batch = _batch_of(call)
        cancelling = self._batches.cancel(call.account.name, batch, wait_seconds=CANCEL_WAIT_SECONDS)
        return _shown(call, batch, await _writing(cancelling))


async def _writing(action: Awaitable[T]) -> T:
    """What it does; Problem where it cannot be kept."""
    try:
        return await action
    except TooManyStopped:
        detail = "As many batches of the account are paused, or being cancelled, as may be at once."
        raise Problem(Code.QUEUE_FULL, detail) from None
    except StoreError:
        raise Problem(Code.STORE_UNAVAILABLE, "The store cannot be written at the moment.") from None


def _batch_of(call: Call) -> str:
    """The name in the path. Raises Problem (404)."""
    try:
        return unquote(call.argument, errors="strict")
    except UnicodeDecodeError:
        raise _no_batch() from None


def _shown(call: Call, batch: str, found: BatchState | None) -> Answer:
    if found is None:
        raise _no_batch()
    tally = found.tally
    return answer(call, BatchView(batch, found.state, tally.total, dict(tally.counts), tally.refused, tally.segments))


def _no_batch() -> Problem:
    return Problem(Code.NOT_FOUND, "There is no batch of this name.")
