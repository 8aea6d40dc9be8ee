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

from gateway.message import Category, ChargeTime, Message, MessageId, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.cap_rules import Rule, Tally, moment
from gateway.policy.cap_settings import Cap
from gateway.policy.charges import CATEGORY_CODES, CHARGE_BYTES, Charge, Charges, Fields, subject_of, unpack
from gateway.policy.verdict import Reason, Refusal

SECRET_BYTES: Final = 32
MAX_CHARGES_PER_NUMBER: Final = 2_000  # looking through more would hold up everybody else
_MAX_OCTETS_PER_NUMBER: Final = MAX_CHARGES_PER_NUMBER * CHARGE_BYTES
_NOTHING: Final = (None, 0, None)
TABLE_RULE: Final = "charges"  # what a refusal names when there is no room to count
_FULL_PAUSE_MILLISECONDS: Final = 60_000
_NAMES_REMEMBERED: Final = 4_096

# What a change to the charge of a message that is on disk already means for snapshots: see `gateway.cap_snapshots`.
OnLateChange = Callable[[Charge], None]


class Tags:
    """Keyed hashes of what charges are compared by: without the key they say nothing about a text."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == SECRET_BYTES
        self.salt = int.from_bytes(secret[:6], "little")
        self._hash = hashlib.blake2b(digest_size=8, key=secret)
        self._last = ("", b"")
        self._names: dict[str, int] = {}

    def name(self, name: str) -> int:
        """32 bits, of a signature or an account."""
        tag = self._names.get(name)
        if tag is None:
            if len(self._names) >= _NAMES_REMEMBERED:
                self._names.clear()
            tag = self._names[name] = int.from_bytes(self._digest(name)[:4], "little")
        return tag

    def content(self, text: str) -> bytes:
        """64 bits. One text to many numbers is hashed once."""
        last, tag = self._last
        if text != last:
            tag = self._digest(text)
            self._last = (text, tag)
        return tag

    def _digest(self, text: str) -> bytes:
        hashing = self._hash.copy()  # a third faster than to take in the key each time
        hashing.update(text.encode("utf-8", "surrogatepass"))
        return hashing.digest()


class _Plan:
    """What is asked of the messages of one category."""

    def __init__(self, code: int, rules: Sequence[Rule], tallies: Sequence[Tally]) -> None:
        self.code = code
        self.rules = tuple(rule for rule in rules if rule.by_number and rule.concerns(code))
        self.tallies = tuple(tally for tally in tallies if tally.rule.concerns(code))
        # Most messages are seen at once to be within every rule: fewer charges are there than any needs to be full, and
        # none with this content where a rule goes by that.
        by_count = [rule.full_octets for rule in self.rules if not rule.by_content]
        self.full_octets = min([*by_count, _MAX_OCTETS_PER_NUMBER])
        self.by_content = any(rule.by_content for rule in self.rules)
        # How long a charge counts; of a category without rules nothing is kept.
        self.keep = max((rule.keep for rule in rules if rule.concerns(code)), default=0)


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
        self._all_tallies = [Tally(rule) for rule in rules if not rule.by_number]
        self._plans = {code: _Plan(code, rules, self._all_tallies) for code in CATEGORY_CODES.values()}
        # By identity, as the hash of an enum's member is a call of its own.
        self._otp, self._notification, self._marketing = (self._plans[CATEGORY_CODES[each]] for each in Category)
        self._wall = 0
        self._decided: tuple[Candidate | None, int, Fields | None] = _NOTHING

    # The stage.

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        at = candidate.charged_at = self._clock()
        wall = int(now)
        if wall > self._wall:
            self._wall = wall
        else:
            wall = self._wall
        candidate.charged_wall = wall
        category = candidate.draft.category
        plan = (
            self._notification
            if category is Category.NOTIFICATION
            else self._otp
            if category is Category.OTP
            else self._marketing
        )
        assert candidate.number is not None
        number = int(candidate.number.e164)  # its + is a sign
        if not plan.keep or number in self._white_list:
            self._decided = (candidate, 0, None)
            return None
        tags = self._tags
        content = tags.content(candidate.text)
        charge = (
            plan.code << 56 | number,
            0,  # the id comes with the commit
            at,
            wall,
            tags.name(candidate.signature),
            tags.name(candidate.account.name),
            content,
        )
        charges = self.charges
        place = charges.place_of(number)
        self._decided = (candidate, place, charge)
        shard = charges.at(place)
        if len(shard) >= plan.full_octets or (plan.by_content and content in shard) or plan.tallies:
            refusal = self._look(plan, number, charge, shard, now)
            if refusal is not None:
                return refusal
        return None if charges.count < self._max_charges else _no_room(now)

    def _look(self, plan: _Plan, number: int, charge: Fields, shard: bytes, now: float) -> Refusal | None:
        """Whether any rule is full for a charge. `shard`: the charges of its number, and perhaps of others."""
        octets = len(shard)
        full: tuple[Milliseconds, str] | None = None
        for rule in plan.rules:
            if octets >= rule.full_octets and (not rule.by_content or charge[6] in shard):
                until = rule.full_until(self.charges.of(number), charge, lead=charge[2] - round(now * 1_000))
                if until is not None and (full is None or until > full[0]):
                    full = (until, rule.name)
        for tally in plan.tallies:
            until = tally.full_until(charge, lead=charge[2] - round(now * 1_000))
            if until is not None and (full is None or until > full[0]):
                full = (until, tally.rule.name)
        if full is not None:
            return _too_often(*full)
        if octets >= _MAX_OCTETS_PER_NUMBER and len(self.charges.of(number)) >= MAX_CHARGES_PER_NUMBER:
            return _no_room(now)
        return None

    def commit(self, candidate: Candidate, *, now: float) -> None:
        decided, place, charge = self._decided
        assert decided is candidate, "a message is charged that was not the last to be decided"
        self._decided = _NOTHING
        if charge is None:
            return
        assert candidate.id, "a message is charged that has no id"
        subject, _, at, wall, signature, account, content = charge
        charge = (subject, candidate.id, at, wall, signature, account, content)
        self.charges.add_at(place, charge)
        for tally in self._plans[subject >> 56].tallies:
            tally.add(charge)
        if candidate.waited:
            self._on_late_change(Charge._make(charge))

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        charge = self.charges.find(number_of(message.to), message.id)
        if charge is not None:
            self.forget(charge)
            self._on_late_change(charge)

    # For a start, and for sweeps.

    def charge_of(self, message: Message, time: ChargeTime) -> Charge | None:
        """What a message was charged with then; None when no rule counts it."""
        category = CATEGORY_CODES[message.category]
        number = number_of(message.to)
        if not self._plans[category].keep or number in self._white_list:
            return None
        name = self._tags.name
        return Charge(
            subject_of(number, category),
            message.id,
            time.at,
            time.wall,
            name(message.signature),
            name(message.account),
            self._tags.content(message.text),
        )

    def restore(self, charge: Fields) -> None:
        """Count a charge."""
        self.charges.add(charge)
        for tally in self._plans[charge[0] >> 56].tallies:
            tally.add(charge)

    def take_in(self, octets: bytes) -> Milliseconds:
        """Count the charges of a slice; return the latest time by the gateway's clock that is among them."""
        latest, wall = self.charges.take_in(octets)
        self.note_wall(wall * 1_000)
        if self._all_tallies:
            for charge in unpack(octets):
                for tally in self._plans[charge.category].tallies:
                    tally.add(charge)
        return latest

    def forget(self, charge: Charge) -> None:
        """Count a charge no more."""
        self.charges.remove(charge)
        for tally in self._plans[charge[0] >> 56].tallies:
            tally.remove(charge)

    def counts(self, charge: Charge) -> bool:
        """Whether any rule still looks at a charge: its category may have none any more, its number be excepted."""
        plan = self._plans.get(charge.category)
        return plan is not None and charge.at > self._clock() - plan.keep and charge.number not in self._white_list

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
        self.charges.sweep(place, {code: now - plan.keep for code, plan in self._plans.items()})
        moment_of_now = Charge(0, MessageId(0), now, self._wall, 0, 0, b"")
        for tally in self._all_tallies:
            tally.sweep(moment_of_now)


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
