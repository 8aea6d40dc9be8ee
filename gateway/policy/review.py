"""Who looks at it first: whole categories of an account may wait for a reviewer."""

from typing import Final

from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Refusal

BY_CATEGORY: Final = "category"  # why it is held; what an earlier stage found says more, and stands


class ReviewStage:
    """Hold what a reviewer must see."""

    name = "review"

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        if candidate.draft.category in candidate.account.review and not candidate.hold:
            candidate.hold = BY_CATEGORY
        return None
