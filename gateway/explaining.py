"""Why a message would go, wait or be refused, and by which carrier: what intake does, without its effects."""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.account import Account
from gateway.message import Milliseconds
from gateway.policy.candidate import Candidate, Draft
from gateway.policy.pipeline import Outcome, Pipeline, StageVerdict
from gateway.policy.verdict import Refusal
from gateway.routing.router import Router
from gateway.routing.routes import RouteView
from gateway.text import choose_coding

ROUTE_STAGE: Final = "route"


class Explanation(msgspec.Struct, frozen=True):
    """What would become of a message now. `coding` and `parts`: of its text as it would be sent."""

    verdict: Outcome
    stages: tuple[StageVerdict, ...]
    coding: str
    parts: int
    routes: tuple[RouteView, ...]
    text: str  # as it would be sent, signature and opt-out text with it


def explain(
    pipeline: Pipeline,
    router: Router,
    account: Account,
    draft: Draft,
    *,
    now: Milliseconds,
    is_up: Callable[[str], bool],
) -> Explanation:
    """Look at a draft as intake would. Changes nothing, and charges nothing."""
    candidate = Candidate(draft, account, draft.text)
    stages = pipeline.explain(candidate, now=now / 1000)
    routes: list[RouteView] = []
    if candidate.number is None:
        stages.append(StageVerdict(ROUTE_STAGE, Outcome.NOT_RUN))
    else:
        routes = router.explain(candidate, is_up=is_up, now=now)
        refusal = None if any(route.rank is not None for route in routes) else router.refusal(candidate, now=now)
        stages.append(_route_verdict(refusal))
    return Explanation(
        verdict=_overall(stages, draft, now),
        stages=tuple(stages),
        coding=choose_coding(candidate.text).name.lower(),
        parts=candidate.parts,
        routes=tuple(routes),
        text=candidate.text,
    )


def _route_verdict(refusal: Refusal | None) -> StageVerdict:
    return StageVerdict(ROUTE_STAGE, Outcome.ACCEPT if refusal is None else Outcome.REFUSE, refusal)


def _overall(stages: list[StageVerdict], draft: Draft, now: Milliseconds) -> Outcome:
    """The gravest of what the stages say; a message for later waits, too."""
    said = {stage.outcome for stage in stages}
    for outcome in (Outcome.REFUSE, Outcome.HOLD, Outcome.WAIT):
        if outcome in said:
            return outcome
    later = draft.send_at is not None and draft.send_at.timestamp() * 1000 > now
    return Outcome.WAIT if later else Outcome.ACCEPT
