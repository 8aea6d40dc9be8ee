"""POST /v1/explain: what would become of a message, and why. It takes the body of a submit; nothing is sent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.explaining import Explanation
from gateway.http.answers import MASKED_TEXT
from gateway.http.bodies import Terms, read_submission
from gateway.http.calls import Answer, Call, answer
from gateway.http.problems import refusal_detail
from gateway.intake import Intake
from gateway.message import Category, Milliseconds
from gateway.policy.pipeline import StageVerdict
from gateway.routing.routes import RouteView

MAX_EXPLAINED: Final = 100  # messages of one call: an explanation is for somebody to read
_SLICE: Final = 20


class StageView(msgspec.Struct, frozen=True):
    """What one rule says. `data` is what a refusal would have beside its code, or what was noticed and not refused."""

    stage: str
    verdict: str
    code: str | None
    detail: str | None
    data: Mapping[str, Any]


class ExplanationView(msgspec.Struct, frozen=True):
    """The answer for one message."""

    verdict: str
    stages: list[StageView]
    coding: str
    parts: int
    text: str
    routes: Sequence[RouteView]


class ExplanationsView(msgspec.Struct, frozen=True):
    """The answer for an array."""

    results: list[ExplanationView]


class Explain:
    """Explains messages to who would send them."""

    def __init__(self, intake: Intake, clock: Callable[[], Milliseconds]) -> None:
        self._intake = intake
        self._clock = clock

    async def explain(self, call: Call) -> Answer:
        """Explain every message of a body. Raises Problem as a submit does."""
        terms = Terms(account=call.account, form=call.body_format, now=self._clock(), max_messages=MAX_EXPLAINED)
        submission = await read_submission(call.body, terms)
        views: list[ExplanationView] = []
        for n, draft in enumerate(submission.drafts):
            if n and n % _SLICE == 0:
                await asyncio.sleep(0)
            explanation = self._intake.explain(call.account, draft)
            hidden = draft.category is Category.OTP and call.account.sees_all
            views.append(_view(explanation, chinese=call.chinese, hidden=hidden))
        if submission.single:
            return answer(call, views[0])
        places = submission.places or range(len(views))
        return answer(call, ExplanationsView([views[place] for place in places]))


def _view(explanation: Explanation, *, chinese: bool, hidden: bool) -> ExplanationView:
    return ExplanationView(
        verdict=explanation.verdict,
        stages=[_stage_view(stage, chinese=chinese) for stage in explanation.stages],
        coding=explanation.coding,
        parts=explanation.parts,
        text=MASKED_TEXT if hidden else explanation.text,
        routes=explanation.routes,
    )


def _stage_view(verdict: StageVerdict, *, chinese: bool) -> StageView:
    refusal = verdict.refusal
    if refusal is None:
        return StageView(verdict.stage, verdict.outcome, None, None, verdict.noticed)
    return StageView(
        verdict.stage, verdict.outcome, refusal.reason, refusal_detail(refusal, chinese=chinese), refusal.data
    )
