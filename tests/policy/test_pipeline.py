"""The stages in order: the first refusal ends it, and only what everything agreed to is counted."""

from gateway.policy.candidate import Candidate
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.signature import SignatureStage
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import DEMO, PLAN, SIGNED, TEXT, a_draft


class Recorder:
    """A stage that writes down what it was asked."""

    def __init__(self, name: str, log: list[str], *, refuses: bool = False) -> None:
        self.name = name
        self._log = log
        self._refuses = refuses

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        self._log.append(f"{self.name} decides at {now:g}")
        return Refusal(Reason.INVALID_TEXT, self.name) if self._refuses else None

    def commit(self, candidate: Candidate, *, now: float) -> None:
        self._log.append(f"{self.name} commits at {now:g}")


def a_candidate(**fields) -> Candidate:
    draft = a_draft(**fields)
    return Candidate(draft, DEMO, draft.text)


def test_stages_decide_in_order_and_only_those_that_count_commit():
    log: list[str] = []
    pipeline = Pipeline([Recorder("a", log)], [Recorder("b", log)], [Recorder("c", log), Recorder("d", log)])
    candidate = a_candidate()
    assert pipeline.decide(candidate, now=5.0) is None
    assert log == ["a decides at 5", "b decides at 5", "c decides at 5", "d decides at 5"]
    log.clear()
    pipeline.commit(candidate, now=6.0)
    assert log == ["c commits at 6", "d commits at 6"]


def test_the_first_refusal_ends_it():
    log: list[str] = []
    pipeline = Pipeline([Recorder("a", log)], [Recorder("b", log, refuses=True)], [Recorder("c", log)])
    assert pipeline.decide(a_candidate(), now=0.0) == Refusal(Reason.INVALID_TEXT, "b")
    assert log == ["a decides at 0", "b decides at 0"]


def test_understanding_asks_no_rule():
    log: list[str] = []
    pipeline = Pipeline([Recorder("a", log)], [Recorder("b", log, refuses=True)], [Recorder("c", log)])
    assert pipeline.understand(a_candidate()) is None
    assert log == ["a decides at 0"]


def test_deciding_twice_gives_the_same():
    pipeline = Pipeline([NumberStage(PLAN), SignatureStage(), ContentStage()])
    draft = a_draft(text="水", signature="阳光物业", to="138 0013 8000")
    first, second = Candidate(draft, SIGNED, draft.text), Candidate(draft, SIGNED, draft.text)
    assert pipeline.decide(first, now=1.0) is pipeline.decide(second, now=99.0) is None
    assert first == second
    assert (first.to, first.signature, first.text, first.parts) == ("+8613800138000", "阳光物业", "【阳光物业】水", 1)


def test_a_number_is_looked_at_before_anything_else():
    pipeline = Pipeline([NumberStage(PLAN), SignatureStage(), ContentStage()])
    refusal = pipeline.decide(a_candidate(to="nobody", text="\x00"), now=0.0)
    assert refusal is not None
    assert refusal.reason is Reason.INVALID_NUMBER
    assert pipeline.decide(a_candidate(text=TEXT), now=0.0) is None
