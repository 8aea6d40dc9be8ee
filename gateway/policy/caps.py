"""How often: frequency caps. All rules are looked at together, and what passes them all is charged to all at once.

Nothing else runs between `decide` and `commit` of a message, so no two can both take the last place. A charge is one
entry in the table of charges, which every rule is answered from; it goes in whole or not at all, and the refusal of one
rule leaves nothing behind in another.

Two times go with a charge: that of the gateway's clock, for rolling windows, and that of the wall clock, which for this
stage never goes back, for the windows of clock and calendar.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gateway.message import Category, Message, MessageId, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.cap_rules import Rule, Tally, moment
from gateway.policy.cap_settings import Cap
from gateway.policy.charges import CATEGORY_CODES, Charge, Charges, Fields, subject_of
from gateway.policy.verdict import Reason, Refusal

SECRET_BYTES: Final = 32
MAX_CHARGES_PER_NUMBER: Final = 2_000  # looking through more would hold up everybody else
TABLE_RULE: Final = "charges"  # what a refusal names when there is no room to count
_FULL_PAUSE_MILLISECONDS: Final = 60_000
_NAMES_REMEMBERED: Final = 4_096

# What a change to the charge of a message that is on disk already means for snapshots: see `gateway.counters`.
OnLateChange = Callable[[Charge], None]


class Tags:
    """Keyed hashes of what charges are compared by: without the key they say nothing about a text."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == SECRET_BYTES
        self.salt = int.from_bytes(secret[:6], "little")
        self._key = secret
        self._last = ("", 0)
        self._names: dict[str, int] = {}

    def name(self, name: str) -> int:
        """32 bits, of a signature or an account."""
        tag = self._names.get(name)
        if tag is None:
            if len(self._names) >= _NAMES_REMEMBERED:
                self._names.clear()
            tag = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4, key=self._key).digest(), "little")
            self._names[name] = tag
        return tag

    def content(self, text: str) -> int:
        """64 bits. One text to many numbers is hashed once."""
        last, tag = self._last
        if text != last:
            octets = text.encode("utf-8", "surrogatepass")
            tag = int.from_bytes(hashlib.blake2b(octets, digest_size=8, key=self._key).digest(), "little")
            self._last = (text, tag)
        return tag


class CapsStage:
    """Refuse what would be one too many, with the rule and when it fits; charge what is accepted."""

    name = "caps"

    def __init__(
        self,
        caps: Sequence[Cap],
        charges: Charges,
        tags: Tags,
        *,
        clock: Callable[[], Milliseconds],
        white_list: Iterable[str] = (),
        max_charges: int = 10_000_000,
        on_late_change: OnLateChange = lambda _: None,
    ) -> None:
        """`clock`: the gateway's. `white_list`: numbers in E.164, which are neither held back nor counted."""
        self.charges = charges
        self._tags = tags
        self._clock = clock
        self._white_list = frozenset(number_of(number) for number in white_list)
        self._max_charges = max_charges
        self._on_late_change = on_late_change
        rules = [Rule(cap) for cap in caps]
        self._by_number = {
            code: [rule for rule in rules if rule.by_number and rule.concerns(code)] for code in CATEGORY_CODES.values()
        }
        tallies = [Tally(rule) for rule in rules if not rule.by_number]
        self._tallies = {
            code: [tally for tally in tallies if tally.rule.concerns(code)] for code in CATEGORY_CODES.values()
        }
        self._all_tallies = tallies
        # How long a charge of a category counts; of a category without rules nothing is kept.
        self._keep = {
            code: max((rule.keep for rule in rules if rule.concerns(code)), default=0)
            for code in CATEGORY_CODES.values()
        }
        self._wall = 0
        self._decided: tuple[Candidate | None, Fields | None] = (None, None)

    # The stage.

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        at = candidate.charged_at = self._clock()
        charge = self._charge(candidate, at, now)
        self._decided = (candidate, charge)
        if charge is None:
            return None
        found = self.charges.of(charge[0] & 0xFF_FFFF_FFFF_FFFF)
        category = charge[0] >> 56
        tallies = self._tallies[category]
        if not found and not tallies:
            return None if len(self.charges) < self._max_charges else _no_room(now)
        lead = at - round(now * 1_000)
        count = len(found)
        full: tuple[Milliseconds, str] | None = None
        for rule in self._by_number[category]:
            if count >= rule.limit:
                until = rule.full_until(found, charge, lead=lead)
                if until is not None and (full is None or until > full[0]):
                    full = (until, rule.name)
        for tally in tallies:
            until = tally.full_until(charge, lead=lead)
            if until is not None and (full is None or until > full[0]):
                full = (until, tally.rule.name)
        if full is not None:
            return _too_often(*full)
        if len(self.charges) >= self._max_charges or count >= MAX_CHARGES_PER_NUMBER:
            return _no_room(now)
        return None

    def commit(self, candidate: Candidate, *, now: float) -> None:
        decided, fields = self._decided
        if decided is not candidate:
            fields = self._charge(candidate, candidate.charged_at or self._clock(), now)
        self._decided = (None, None)
        if fields is None:
            return
        assert candidate.id, "a message is charged that has no id"
        subject, _, at, wall, signature, account, content = fields
        fields = (subject, candidate.id, at, wall, signature, account, content)
        self.restore(fields)
        if candidate.waited:
            self._on_late_change(Charge._make(fields))

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        charge = self.charges.find(number_of(message.to), message.id)
        if charge is not None:
            self.forget(charge)
            self._on_late_change(charge)

    # For a start, and for sweeps.

    def charge_of(self, message: Message, *, at: Milliseconds, wall: Milliseconds) -> Charge | None:
        """What a message was charged with at these times; None when no rule counts it."""
        category = CATEGORY_CODES[message.category]
        number = number_of(message.to)
        if not self._keep[category] or number in self._white_list:
            return None
        name = self._tags.name
        return Charge(
            subject_of(number, category),
            message.id,
            at,
            wall // 1_000,
            name(message.signature),
            name(message.account),
            self._tags.content(message.text),
        )

    def restore(self, charge: Fields) -> None:
        """Count a charge."""
        self.charges.add(charge)
        for tally in self._tallies[charge[0] >> 56]:
            tally.add(charge)

    def forget(self, charge: Charge) -> None:
        """Count a charge no more."""
        self.charges.remove(charge)
        for tally in self._tallies[charge[0] >> 56]:
            tally.remove(charge)

    def counts(self, charge: Charge) -> bool:
        """Whether any rule still looks at a charge: its category may have none any more, its number be excepted."""
        return charge.at > self._clock() - self._keep.get(charge.category, 0) and charge.number not in self._white_list

    @property
    def wall(self) -> Milliseconds:
        """The latest that the wall clock has been, to the second."""
        return self._wall * 1_000

    def now(self) -> Milliseconds:
        """By the gateway's clock."""
        return self._clock()

    def note_wall(self, wall: Milliseconds) -> None:
        """The wall clock was here before: windows up to then are left."""
        self._wall = max(self._wall, wall // 1_000)

    def sweep(self, place: int) -> None:
        """Free what no rule looks at any more in one slice, and some of what surge rules hold. A fraction of a ms."""
        now = self._clock()
        self.charges.sweep(place, {code: now - keep for code, keep in self._keep.items()})
        moment_of_now = Charge(0, MessageId(0), now, self._wall, 0, 0, 0)
        for tally in self._all_tallies:
            tally.sweep(moment_of_now)

    def _charge(self, candidate: Candidate, at: Milliseconds, now: float) -> Fields | None:
        """What the message would be charged with; None when it is not counted. Its id comes with the commit."""
        asked = candidate.draft.category
        # By identity: the hash of an enum's member is a call of its own.
        category = 1 if asked is Category.OTP else 2 if asked is Category.NOTIFICATION else 3
        assert candidate.number is not None
        number = int(candidate.number.e164)  # its + is a sign
        if not self._keep[category] or number in self._white_list:
            return None
        wall = int(now)
        if wall > self._wall:
            self._wall = wall
        tags = self._tags
        return (
            category << 56 | number,
            0,
            at,
            self._wall,
            tags.name(candidate.signature),
            tags.name(candidate.account.name),
            tags.content(candidate.text),
        )


def number_of(e164: str) -> int:
    """The digits of a number in E.164."""
    return int(e164)  # its + is a sign


def _too_often(until: Milliseconds, rule: str) -> Refusal:
    return Refusal(
        Reason.FREQUENCY_CAP,
        f"The frequency cap {rule} is full for this message.",
        {"rule": rule, "retry_at": moment(until)},
        chinese=f"该消息已达到频次上限 {rule}。",
    )


def _no_room(now: float) -> Refusal:
    """More than the gateway can count is not sent uncounted."""
    return Refusal(
        Reason.FREQUENCY_CAP,
        "The gateway counts as many messages as it can (caps.max_charges, or those to this number).",
        {"rule": TABLE_RULE, "retry_at": moment(round(now * 1_000) + _FULL_PAUSE_MILLISECONDS)},
        chinese="网关的频次计数已满（caps.max_charges，或该号码的计数）。",
    )
