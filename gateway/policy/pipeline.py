"""The stages in order, run over one message: the first refusal ends it, and nothing is counted unless all accept."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from gateway.message import Message, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Refusal


class Stage(Protocol):
    """One rule. Most rules only decide; those that count also commit."""

    @property
    def name(self) -> str:
        """What `explain` calls it."""

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        """Refuse, or accept with None. May complete the candidate; changes nothing else. `now`: seconds since 1970."""


class CountingStage(Stage, Protocol):
    """A rule that remembers what it let through."""

    def commit(self, candidate: Candidate, *, now: float) -> None:
        """Charge the message. Called in the step in which everything has agreed, before the first await."""

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        """Undo the charge that was made at that time: the message is not on disk, or nothing of it will leave."""


class Outcome(StrEnum):
    """What a stage made of a message."""

    ACCEPT = "accept"
    HOLD = "hold"  # a reviewer must see it
    WAIT = "wait"  # its sending window is not open
    REFUSE = "refuse"
    NOT_RUN = "not_run"  # it needs what an earlier stage could not find out


class StageVerdict(msgspec.Struct, frozen=True):
    """One line of an explanation."""

    stage: str
    outcome: Outcome
    refusal: Refusal | None = None
    noticed: Mapping[str, Any] = msgspec.field(default_factory=dict)  # what the rule saw and did not refuse


class Pipeline:
    """Runs `understanding` (what does this message say, and to whom), then `rules` (may it go), then those that count.

    `counting` charges a message when it goes, `booking` when it is accepted, also where it waits.
    """

    def __init__(
        self,
        understanding: Sequence[Stage],
        rules: Sequence[Stage] = (),
        counting: Sequence[CountingStage] = (),
        booking: Sequence[CountingStage] = (),
    ) -> None:
        self._understanding = tuple(understanding)
        self._deciding = (*understanding, *rules, *counting, *booking)
        self._counting = (*counting, *booking)
        self._booking = tuple(booking)

    def understand(self, candidate: Candidate) -> Refusal | None:
        """Only complete the candidate, for comparing it with a message accepted before."""
        for stage in self._understanding:
            refusal = stage.decide(candidate, now=0.0)
            if refusal is not None:
                return refusal
        return None

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        """The first refusal, or None when the message may go. No side effect but the completed candidate."""
        for stage in self._deciding:
            refusal = stage.decide(candidate, now=now)
            if refusal is not None:
                return refusal
        return None

    def commit(self, candidate: Candidate, *, now: float, waits: bool = False) -> None:
        """Charge a message that everything has agreed to."""
        for stage in self._booking if waits else self._counting:
            stage.commit(candidate, now=now)

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float, waits: bool = False) -> None:
        """Undo the charges of a message that was charged at that time."""
        for stage in self._booking if waits else self._counting:
            stage.take_back(message, charged_at=charged_at, now=now)

    def explain(self, candidate: Candidate, *, now: float) -> list[StageVerdict]:
        """What every stage says. One that refuses does not stop those that do not need what it would have found out."""
        verdicts: list[StageVerdict] = []
        understood = True
        for place, stage in enumerate(self._deciding):
            if not understood:
                verdicts.append(StageVerdict(stage.name, Outcome.NOT_RUN))
                continue
            before = (candidate.hold, candidate.opens_at)
            candidate.noticed = None
            refusal = stage.decide(candidate, now=now)
            outcome = _outcome(candidate, before, refusal)
            verdicts.append(StageVerdict(stage.name, outcome, refusal, candidate.noticed or {}))
            understood = refusal is None or place >= len(self._understanding)
        return verdicts


def _outcome(candidate: Candidate, before: tuple[str, Milliseconds | None], refusal: Refusal | None) -> Outcome:
    hold, opens_at = before
    if refusal is not None:
        return Outcome.REFUSE
    if candidate.hold != hold:
        return Outcome.HOLD
    return Outcome.WAIT if candidate.opens_at != opens_at else Outcome.ACCEPT
