"""When: outside the hours of its category a message waits until they open, unless its validity ends before.

The hours are of the receiver's country, so they are for mainland destinations. One-time passwords are always exempt,
and notifications that are urgent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.message import Category, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal
from gateway.policy.windows import NEVER, Stretch, Windows

# A clock that goes back by more was wrong before: what it showed closed says nothing about today.
_CLOCK_ERROR_MILLISECONDS: Final = 86_400_000
_NONE_YET: Final = Stretch(True, 0, 0)


class Hours:
    """The hours of one category, as the wall clock passes through them: what was left stays closed.

    The answer of a moment ago holds until its stretch ends, so asking costs one comparison.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._now = _NONE_YET
        self._ahead = _NONE_YET

    def change(self, windows: Windows) -> None:
        """Other windows from now on, or other holidays."""
        self._windows = windows
        self._now = self._ahead = _NONE_YET

    def opening(self, now: Milliseconds) -> Milliseconds | None:
        """When they open; None while they are open. `now`: the wall clock."""
        stretch = self._now
        if not stretch.since <= now < stretch.until:
            stretch = self._look(stretch, now)
        return None if stretch.is_open else stretch.until

    def opening_after(self, at: Milliseconds) -> Milliseconds | None:
        """The same for a time that lies ahead."""
        stretch = self._ahead
        if not stretch.since <= at < stretch.until:
            stretch = self._ahead = self._windows.stretch(at)
        return None if stretch.is_open else stretch.until

    def open_for(self, opens_at: Milliseconds) -> Milliseconds:
        """How long they are open from a time at which they open."""
        self.opening_after(opens_at)
        return max(0, self._ahead.until - opens_at) if self._ahead.is_open else 0

    def _look(self, last: Stretch, now: Milliseconds) -> Stretch:
        went_back = 0 < last.since - now < _CLOCK_ERROR_MILLISECONDS
        if went_back and not last.is_open:
            return last
        self._now = self._windows.stretch(now)
        return self._now


def is_exempt(category: Category, *, urgent: bool, mainland: bool) -> bool:
    """Whether hours are nothing to a message."""
    return not mainland or category is Category.OTP or (urgent and category is Category.NOTIFICATION)


class HoursStage:
    """Let a message wait for its hours, or refuse it when it would be over before."""

    name = "hours"

    def __init__(self, hours: Mapping[Category, Hours], valid_for_seconds: Mapping[Category, int]) -> None:
        """`valid_for_seconds`: of messages that do not say themselves how long they may wait."""
        self._hours = hours
        self._valid_for_seconds = valid_for_seconds

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        draft = candidate.draft
        category = draft.category
        hours = self._hours.get(category)
        assert candidate.number is not None
        if hours is None or is_exempt(category, urgent=draft.urgent, mainland=candidate.number.mainland):
            return None
        at = begins = round(now * 1_000)
        if draft.send_at is not None:
            begins = max(at, round(draft.send_at.timestamp() * 1_000))
        opens_at = hours.opening(at) if begins == at else hours.opening_after(begins)
        if opens_at is None:
            return None
        valid_for = draft.valid_for_seconds or self._valid_for_seconds[category]
        if opens_at >= begins + valid_for * 1_000:
            return Refusal(
                Reason.OUTSIDE_HOURS,
                f"Messages of category {category} do not go at this hour, and its validity ends before they do.",
                {} if opens_at == NEVER else {"opens_at": datetime.fromtimestamp(opens_at / 1_000, UTC).isoformat()},
                chinese=f"当前不在 {category} 类短信的发送时段内，且消息在时段开始前即已过期。",
            )
        candidate.opens_at = opens_at
        return None
