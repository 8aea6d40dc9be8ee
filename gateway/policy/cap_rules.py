"""One cap as it is asked: which charges it counts, and when the next message fits. Pure.

A rolling window is measured by the gateway's clock, which no step of the wall clock touches. The windows of the others
are those of the wall clock in the rule's zone; the caller sees to it that this never goes back, so a window that was
left stays left. Where clocks are put back or forward, a window is never longer than what the clocks show, and one that
the change falls into counts at least what belongs to it.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.message import Milliseconds
from gateway.policy.cap_settings import Cap, CapKey, CapKind
from gateway.policy.charges import CATEGORY_CODES, CHARGE_BYTES, Fields

_STEP: Final = 64  # keys looked at in one step of a sweep


class Windows:
    """The windows of one rule by the wall clock."""

    def __init__(self, cap: Cap) -> None:
        self._zone = ZoneInfo(cap.time_zone)
        self._seconds = cap.window_seconds
        self._is_day = cap.kind is CapKind.CALENDAR_DAY
        self.start = 0
        self.end = 0

    def enter(self, wall: int) -> None:
        """Make the window of this time (seconds since 1970) the present one, unless it is already."""
        if wall < self.end:
            return
        local = datetime.fromtimestamp(wall, self._zone)
        if self._is_day:
            midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            self.start = round(midnight.timestamp())
            following = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=self._zone)
            self.end = max(wall + 1, round(following.timestamp()))
            return
        into_day = local.hour * 3_600 + local.minute * 60 + local.second
        self.start = wall - into_day % self._seconds
        self.end = self.start + self._seconds


class Rule:
    """One cap, ready to be asked."""

    def __init__(self, cap: Cap) -> None:
        self.name = cap.name
        self.limit = cap.limit
        self.window: Milliseconds = cap.window_seconds * 1_000
        self.windows = None if cap.kind is CapKind.ROLLING else Windows(cap)
        # In a day of 25 hours, or with a wall clock that was put back, a window takes longer: keep for long enough.
        self.keep: Milliseconds = self.window if self.windows is None else 2 * self.window + 86_400_000
        self._category = None if cap.category is None else CATEGORY_CODES[cap.category]
        # The places of what must be the same, in a charge.
        places = {CapKey.SIGNATURE: 4, CapKey.ACCOUNT: 5, CapKey.CONTENT: 6}
        self._same = tuple(places[key] for key in cap.key if key is not CapKey.NUMBER)
        self.by_number = CapKey.NUMBER in cap.key
        self.by_content = CapKey.CONTENT in cap.key
        self.full_octets = cap.limit * CHARGE_BYTES  # of fewer, packed, it cannot be full

    def concerns(self, category: int) -> bool:
        return self._category is None or self._category == category

    def time(self, charge: Fields) -> int:
        """When a charge was made, by the clock of this rule."""
        return charge[2] if self.windows is None else charge[3]

    def shared(self, charge: Fields) -> tuple[int | bytes, ...]:
        """What others must have in common with this one to count, besides the number."""
        return tuple(charge[place] for place in self._same)

    def full_until(self, charges: Sequence[Fields], new: Fields, *, lead: Milliseconds) -> Milliseconds | None:
        """When there is room for `new` among the charges of its number, by the wall clock; None when there is now.

        `lead`: how far the gateway's clock is ahead of the wall clock.
        """
        category, same = self._category, self._same
        windows = self.windows
        if windows is None:
            since = new[2] - self.window + 1
        else:
            windows.enter(new[3])
            since = windows.start
        times = []
        for charge in charges:
            time = charge[2] if windows is None else charge[3]
            if time >= since and (category is None or charge[0] >> 56 == category):
                for field in same:
                    if charge[field] != new[field]:
                        break
                else:
                    times.append(time)
        if len(times) < self.limit:
            return None
        times.sort()
        return self.free_at(times[-self.limit], lead)

    def free_at(self, oldest: int, lead: Milliseconds) -> Milliseconds:
        """When a window is not full any more of which this is the oldest charge that fills it."""
        return self.windows.end * 1_000 if self.windows is not None else oldest + self.window - lead


class Tally:
    """The charges that a rule without the number in its key counts: their times, in order, by what they share.

    It can be made from the table of charges at any time, and holds no more than that does.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._times: dict[tuple[int | bytes, ...], list[int]] = {}
        self._to_sweep: list[tuple[int | bytes, ...]] = []

    def __len__(self) -> int:
        return len(self._times)

    def full_until(self, new: Fields, *, lead: Milliseconds) -> Milliseconds | None:
        """As `Rule.full_until`."""
        rule = self.rule
        times = self._times.get(rule.shared(new))
        if times is None or len(times) < rule.limit:
            return None
        if len(times) - bisect_left(times, self._since(new)) < rule.limit:
            return None
        return rule.free_at(times[-rule.limit], lead)

    def add(self, charge: Fields) -> None:
        times = self._times.setdefault(self.rule.shared(charge), [])
        insort(times, self.rule.time(charge))
        if len(times) > 2 * self.rule.limit:  # those in front are past every window, or the rule was made stricter
            del times[: bisect_right(times, times[-1] - self.rule.keep)]

    def remove(self, charge: Fields) -> None:
        key = self.rule.shared(charge)
        times = self._times.get(key, [])
        time = self.rule.time(charge)
        place = bisect_left(times, time)
        if place < len(times) and times[place] == time:
            del times[place]
        if not times:
            self._times.pop(key, None)

    def sweep(self, now: Fields) -> None:
        """Free some of what no window holds any more. `now`: a charge of this moment."""
        if not self._to_sweep:
            self._to_sweep = list(self._times)
        since = self._since(now)
        for key in self._to_sweep[-_STEP:]:
            times = self._times.get(key, [])
            del times[: bisect_left(times, since)]
            if not times:
                self._times.pop(key, None)
        del self._to_sweep[-_STEP:]

    def _since(self, now: Fields) -> int:
        if self.rule.windows is None:
            return now[2] - self.rule.window + 1
        self.rule.windows.enter(now[3])
        return self.rule.windows.start


def moment(at: Milliseconds) -> str:
    """A time as RFC 3339 has it, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
