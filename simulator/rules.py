"""Rules on numbers: a tester asks for an outcome by dialling it. Pure.

A pattern is written like a number: digits, `?` for any digit, `[0-4]` for one of several, `*` for any that are left.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from gateway.smpp import CommandStatus
from simulator.checking import BrokenRule
from simulator.distributions import Delay
from simulator.outcomes import BY_STAT, ERROR_CODE_RULE, FAULTS, Outcome, Share, is_error_code, outcome_of
from simulator.tables import Count, Table, check_status, check_text

_PATTERN: Final = re.compile(r"\+?(?:\d|\?|\*|\[[\d-]+\])+")
_TOKEN: Final = re.compile(r"\[[\d-]+\]|.")
_TOKENS: Final = {"?": r"\d", "*": r"\d*", "+": r"\+?"}


class Rule(Table, frozen=True):
    """`[[rule]]`: what becomes of submits to some numbers. The first rule that fits decides.

    `to` is the pattern of the destination, `source` that of the source address, `account` a system_id; "" is any.
    `times` is for how many submits of a content it holds, 0 for all; `share` for which part of those, by the seed.
    """

    to: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    source: Annotated[str, msgspec.Meta(max_length=60)] = ""
    account: Annotated[str, msgspec.Meta(max_length=15)] = ""
    times: Count = 0
    share: Share = 1.0
    refuse_with: str = ""
    receipt: str = "DELIVRD"
    error: str = ""
    faults: tuple[str, ...] = ()
    delay_seconds: Delay | None = None
    latency_seconds: Delay | None = None
    reply: Annotated[str, msgspec.Meta(max_length=1000)] = ""

    def __post_init__(self) -> None:
        _check_pattern("to", self.to)
        if self.source:
            _check_pattern("source", self.source)
        if self.refuse_with:
            check_status("refuse_with", self.refuse_with)
        if self.receipt not in BY_STAT:
            raise BrokenRule("receipt", f"must be one of {', '.join(BY_STAT)}")
        if self.error and not is_error_code(self.error):
            raise BrokenRule("error", f"must be {ERROR_CODE_RULE}")
        check_text("reply", self.reply)
        _check_faults(self.faults)
        if self.refuse_with and (self.faults or self.reply or self.error or self.delay_seconds is not None):
            raise BrokenRule("refuse_with", "must be alone: what is refused has no receipt, fault or reply")

    def outcome(self) -> Outcome:
        """Return what the rule asks for."""
        if self.refuse_with:
            return Outcome(refusal=CommandStatus[self.refuse_with], latency_seconds=self.latency_seconds)
        outcome = outcome_of(f"{self.receipt}/{self.error}" if self.error else self.receipt)
        changes: dict[str, object] = {"reply": self.reply, "latency_seconds": self.latency_seconds}
        for name in self.faults:
            changes |= FAULTS[name]
        if self.delay_seconds is not None:
            changes["delay_seconds"] = self.delay_seconds
        return msgspec.structs.replace(outcome, **changes)


class Match(msgspec.Struct, frozen=True):
    """A rule that fits a submit: which one it is, counted from 0, and what it asks for."""

    index: int
    rule: Rule
    outcome: Outcome


class Rules:
    """The rules of a scenario, made ready: one expression says at once whether any of them could fit a number."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._any = re.compile("|".join(_expression(rule.to) for rule in rules) if rules else "(?!)")
        self._rules: Final = [
            (re.compile(_expression(rule.to)), re.compile(_expression(rule.source)) if rule.source else None, match)
            for index, rule in enumerate(rules)
            for match in [Match(index, rule, rule.outcome())]
        ]

    def matching(self, destination: str, source: str, system_id: str) -> list[Match]:
        """Return the rules that fit, first things first; whether their `times` and `share` hold is not asked here."""
        if self._any.fullmatch(destination) is None:
            return []
        return [
            match
            for to, origin, match in self._rules
            if to.fullmatch(destination)
            and (origin is None or origin.fullmatch(source))
            and match.rule.account in {"", system_id}
        ]


def _check_faults(names: Sequence[str]) -> None:
    changed: dict[str, str] = {}
    for name in names:
        if name not in FAULTS:
            raise BrokenRule("faults", f"unknown fault {name[:40]!r}; known here are {', '.join(FAULTS)}")
        for what in FAULTS[name]:
            if what in changed:
                raise BrokenRule("faults", f"must go together: {changed[what]} and {name} do not")
            changed[what] = name


def _check_pattern(field: str, pattern: str) -> None:
    if _PATTERN.fullmatch(pattern) is None:
        raise BrokenRule(field, "must be a pattern of digits, ?, * and [0-4], with or without + before it")
    try:
        re.compile(_expression(pattern))
    except re.error:
        raise BrokenRule(field, "must have digits in order between [ and ], as in [0-4]") from None
    if pattern.count("*") > 2:
        raise BrokenRule(field, "must have at most two *")


def _expression(pattern: str) -> str:
    tokens = _TOKEN.findall(pattern if pattern.startswith("+") else f"+{pattern}")
    return "".join(_TOKENS.get(token, token) for token in tokens)
