"""Rules that hold back how often somebody hears from us: how a file writes them, and the profile's own."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from gateway.message import Category

DAY_SECONDS: Final = 86_400
MAX_WINDOW_SECONDS: Final = 31 * DAY_SECONDS
MAX_LIMIT: Final = 1_000_000
# With the number in its key, a rule is answered by looking through the charges of that number.
MAX_LIMIT_PER_NUMBER: Final = 1_000


class CapKind(StrEnum):
    """Which messages are counted together."""

    ROLLING = "rolling"  # those of the last `window_seconds`
    CLOCK = "clock"  # those of the present window, where windows begin at midnight and follow one another
    CALENDAR_DAY = "calendar_day"  # those of today


class CapKey(StrEnum):
    """What messages must have in common to be counted together."""

    NUMBER = "number"
    SIGNATURE = "signature"
    ACCOUNT = "account"
    CONTENT = "content"


RuleName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z",
        description="letters, digits and . _ -, at most 32, the first a letter or a digit",
    ),
]


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` messages that agree in `key`, in one window. `limit = 0`: the profile's rule is taken away."""

    name: RuleName
    category: Category | None = None  # None: messages of all categories
    key: tuple[CapKey, ...] = (CapKey.NUMBER, CapKey.SIGNATURE)
    limit: Annotated[int, msgspec.Meta(ge=0, le=MAX_LIMIT)]
    window_seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_WINDOW_SECONDS)] = DAY_SECONDS
    kind: CapKind = CapKind.ROLLING
    time_zone: str = "Asia/Shanghai"  # whose midnight it is; for clock and calendar_day

    def fault(self) -> tuple[str, object, str] | None:
        """What is wrong between settings: the setting, its value, and the rule."""
        if self.limit == 0:
            return None
        if not self.key or len(set(self.key)) != len(self.key):
            return "key", list(self.key), "must name at least one of number, signature, account, content, each once"
        if CapKey.NUMBER in self.key and self.limit > MAX_LIMIT_PER_NUMBER:
            return "limit", self.limit, f"must be 0 to {MAX_LIMIT_PER_NUMBER} where the key has the number"
        if self.kind is CapKind.CALENDAR_DAY and self.window_seconds != DAY_SECONDS:
            return "window_seconds", self.window_seconds, f"must be {DAY_SECONDS}, or left out, with kind calendar_day"
        if self.kind is CapKind.CLOCK and DAY_SECONDS % self.window_seconds:
            return "window_seconds", self.window_seconds, f"must divide a day ({DAY_SECONDS}) with kind clock"
        return None


class CapsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom no cap holds back, and what the counters may take."""

    white_list: tuple[str, ...] = ()  # numbers in any spelling
    max_charges: Annotated[int, msgspec.Meta(ge=1_000, le=100_000_000)] = 10_000_000


_PER_NUMBER: Final = (CapKey.NUMBER,)

# Aliyun's, Tencent's and Huawei's public limits brought together; for marketing our own choice. The windows roll.
DEFAULT_CAPS: Final = (
    # A button "send again" that opens after 60 s must not lose the race.
    Cap(name="otp-minute", category=Category.OTP, limit=1, window_seconds=59),
    Cap(name="otp-hour", category=Category.OTP, limit=5, window_seconds=3_600),
    Cap(name="otp-day", category=Category.OTP, limit=10),
    Cap(name="otp-day-all", category=Category.OTP, key=_PER_NUMBER, limit=40),
    Cap(name="notification-minute", category=Category.NOTIFICATION, limit=10, window_seconds=60),
    Cap(name="notification-day", category=Category.NOTIFICATION, limit=50),
    Cap(name="marketing-day", category=Category.MARKETING, limit=1),
    Cap(name="marketing-week", category=Category.MARKETING, limit=2, window_seconds=7 * DAY_SECONDS),
    Cap(name="marketing-day-all", category=Category.MARKETING, key=_PER_NUMBER, limit=10),
    Cap(name="same-content", key=(CapKey.NUMBER, CapKey.SIGNATURE, CapKey.CONTENT), limit=1, window_seconds=30),
)


def effective_caps(written: Sequence[Cap], defaults: Iterable[Cap] = DEFAULT_CAPS) -> tuple[Cap, ...]:
    """The profile's rules, with what a file replaces, takes away and adds."""
    by_name = {cap.name: cap for cap in (*defaults, *written)}
    return tuple(cap for cap in by_name.values() if cap.limit)
