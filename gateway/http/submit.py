"""POST /v1/messages: take messages in, and answer when those that were accepted are on disk."""

import asyncio
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from gateway.account import Account
from gateway.http.answers import (
    AcceptedView,
    RefusedView,
    ResultsView,
    accepted_view,
    decision_view,
)
from gateway.http.bodies import Submission, Terms, read_submission
from gateway.http.calls import Answer, Call, answer, problem_answer
from gateway.http.problems import Code, Problem, refusal_document, refusal_status
from gateway.http.room import Room
from gateway.http.settings import HttpSettings
from gateway.intake import Accepted, Decision, Intake
from gateway.message import Milliseconds
from gateway.policy.verdict import Reason
from gateway.rates import TokenBucket
from gateway.store.api import Store

_SLICE: Final = 500  # answers made between two returns to the loop
_UNAVAILABLE: Final = "The messages could not be written to disk. None was accepted; send them again later."


class Submit:
    """Takes messages in, up to a limit of those whose answers are still out, and as fast as each account may."""

    def __init__(
        self,
        settings: HttpSettings,
        intake: Intake,
        store: Store,
        clock: Callable[[], Milliseconds],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_messages = settings.max_messages
        self._intake = intake
        self._clock = clock
        self._monotonic = monotonic
        self._rates: dict[str, TokenBucket] = {}  # by account
        self._room = Room(settings, store)
        self._stopping = False

    @property
    def in_progress(self) -> int:
        """How many messages are handed in and not yet answered for."""
        return self._room.reserved_messages

    def stop_accepting(self) -> None:
        """Refuse what comes from now on; what is under way is finished."""
        self._stopping = True

    async def submit(self, call: Call) -> Answer:
        """Decide every message of a request. Raises Problem; a 503 means that none was accepted."""
        if self._stopping:
            raise Problem(Code.STOPPING, "The gateway is stopping. Nothing was accepted; send it again later.")
        terms = Terms(
            account=call.account,
            form=call.body_format,
            now=self._clock(),
            max_messages=self._max_messages,
            idempotency_key=call.idempotency_key,
        )
        submission = await read_submission(call.body, terms)
        count = len(submission.drafts)
        rate = self._rate_of(call.account)
        with self._room.reserved(call.account, count):
            if rate is not None and not rate.take(count, now=self._monotonic()):
                raise _too_fast(call.account, rate)
            decisions = await self._intake.submit(call.account, submission.drafts)
        if rate is not None:  # what was accepted before costs nothing
            rate.give_back(sum(type(decision) is Accepted and decision.duplicate for decision in decisions))
        if submission.single:
            return _answer_one(call, decisions[0])
        made = await _answer_array(call, submission, decisions)
        await _let_go(decisions)
        await _let_go(submission.drafts)
        return made

    def _rate_of(self, account: Account) -> TokenBucket | None:
        """A second's worth may come at once. An array is taken whole, and what it is ahead is waited out after it."""
        if account.submit_rate is None:
            return None
        rate = self._rates.get(account.name)
        if rate is None:
            per_second = account.submit_rate
            rate = self._rates[account.name] = TokenBucket(per_second, depth=per_second, now=self._monotonic())
        return rate


def _too_fast(account: Account, rate: TokenBucket) -> Problem:
    detail = f"The account may submit {account.submit_rate} messages a second. Nothing was accepted; send it later."
    return Problem(Code.RATE_LIMITED, detail, headers={"Retry-After": str(max(1, ceil(rate.ready_in())))})


def _answer_one(call: Call, decision: Decision) -> Answer:
    if isinstance(decision, Accepted):
        return answer(call, accepted_view(decision), 200 if decision.duplicate else 202)
    if decision.reason is Reason.STORE_UNAVAILABLE:
        raise Problem(Code.STORE_UNAVAILABLE, _UNAVAILABLE)
    return problem_answer(
        call.answer_format, refusal_document(decision, chinese=call.chinese), refusal_status(decision), {}
    )


async def _answer_array(call: Call, submission: Submission, decisions: Sequence[Decision]) -> Answer:
    if not any(isinstance(decision, Accepted) for decision in decisions) and any(
        decision.reason is Reason.STORE_UNAVAILABLE for decision in decisions if not isinstance(decision, Accepted)
    ):
        raise Problem(Code.STORE_UNAVAILABLE, _UNAVAILABLE)
    results: list[AcceptedView | RefusedView] = []
    for start in range(0, len(decisions), _SLICE):
        if start:
            await asyncio.sleep(0)
        results += [decision_view(decision, chinese=call.chinese) for decision in decisions[start : start + _SLICE]]
    if submission.places is not None:
        results = _spread(results, submission.places)
    await asyncio.sleep(0)
    refused = sum(type(result) is RefusedView for result in results)
    made = answer(call, ResultsView(len(results) - refused, refused, results), 202)
    await _let_go(results)
    return made


async def _let_go(items: list[Any]) -> None:
    """Free bit by bit what a large array took: all at once, when its handler ends, it holds up the loop for 10 ms."""
    while len(items) > _SLICE:
        del items[-_SLICE:]
        await asyncio.sleep(0)


def _spread(results: Sequence[AcceptedView | RefusedView], places: Sequence[int]) -> list[AcceptedView | RefusedView]:
    """The results of the different numbers, laid out for the numbers as asked for: a repeated one is a duplicate."""
    spread: list[AcceptedView | RefusedView] = []
    seen = -1
    for place in places:
        result = results[place]
        if place > seen:
            seen = place
        elif isinstance(result, AcceptedView):
            result = result.as_duplicate()
        spread.append(result)
    return spread
