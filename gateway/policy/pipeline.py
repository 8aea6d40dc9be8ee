"""The stages in order, run over one message: the first refusal ends it, and nothing is counted unless all accept."""

from collections.abc import Sequence
from typing import Protocol

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


class Pipeline:
    """Runs `understanding` (what does this message say, and to whom), then `rules` (may it go), then `counting`."""

    def __init__(
        self, understanding: Sequence[Stage], rules: Sequence[Stage] = (), counting: Sequence[CountingStage] = ()
    ) -> None:
        self._understanding = tuple(understanding)
        self._deciding = (*understanding, *rules, *counting)
        self._counting = tuple(counting)

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

    def commit(self, candidate: Candidate, *, now: float) -> None:
        """Charge a message that everything has agreed to."""
        for stage in self._counting:
            stage.commit(candidate, now=now)
