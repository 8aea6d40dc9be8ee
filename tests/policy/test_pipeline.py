"""The stages in order: the first refusal ends it, and only what everything agreed to is counted."""

from gateway.message import Message, MessageId
from gateway.policy.candidate import Candidate, candidate_of
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.pipeline import Outcome, Pipeline
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

    def take_back(self, message: Message, *, charged_at: int, now: float) -> None:
        self._log.append(f"{self.name} takes back what was charged at {charged_at}")


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


def a_message(**fields) -> Message:
    values = {"id": MessageId(1), "account": "demo", "to": "+8613800138000", "text": TEXT, "accepted_at": 0}
    return Message(**(values | {"expires_at": 1} | fields))


def test_only_what_counts_takes_back():
    log: list[str] = []
    pipeline = Pipeline([Recorder("a", log)], [Recorder("b", log)], [Recorder("c", log)])
    pipeline.take_back(a_message(), charged_at=7, now=8.0)
    assert log == ["c takes back what was charged at 7"]


class Asks:
    """A stage that holds messages, or lets them wait."""

    def __init__(self, name: str, **fields) -> None:
        self.name = name
        self._fields = fields

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        for field, value in self._fields.items():
            setattr(candidate, field, value)
        return None


def test_an_explanation_has_the_verdict_of_every_stage_and_charges_nothing():
    log: list[str] = []
    pipeline = Pipeline(
        [Recorder("a", log)],
        [
            Asks("words", hold="words", noticed={"words": ["a"]}),
            Recorder("b", log, refuses=True),
            Asks("hours", opens_at=9),
        ],
        [Recorder("caps", log)],
    )
    verdicts = pipeline.explain(a_candidate(), now=5.0)

    assert [(each.stage, each.outcome) for each in verdicts] == [
        ("a", Outcome.ACCEPT),
        ("words", Outcome.HOLD),
        ("b", Outcome.REFUSE),
        ("hours", Outcome.WAIT),
        ("caps", Outcome.ACCEPT),
    ]
    assert [each.noticed for each in verdicts] == [{}, {"words": ["a"]}, {}, {}, {}]
    assert verdicts[2].refusal == Refusal(Reason.INVALID_TEXT, "b")
    assert not any("commits" in line for line in log)


def test_what_is_not_understood_is_explained_no_further():
    log: list[str] = []
    pipeline = Pipeline([Recorder("a", log, refuses=True), Recorder("b", log)], [Recorder("c", log)])
    assert [each.outcome for each in pipeline.explain(a_candidate(), now=0.0)] == [
        Outcome.REFUSE,
        Outcome.NOT_RUN,
        Outcome.NOT_RUN,
    ]


def test_a_message_that_waited_is_seen_by_the_rules_as_it_was():
    pipeline = Pipeline([NumberStage(PLAN), SignatureStage(), ContentStage()])
    candidate = a_candidate(text="【阳光物业】停水", urgent=True, batch="b", sender="88")
    assert pipeline.decide(candidate, now=0.0) is None
    message = a_message(
        text=candidate.text, signature=candidate.signature, network="cmcc", urgent=True, batch="b", sender="88"
    )
    again = candidate_of(message, DEMO)
    for field in ("account", "text", "signature", "number", "network", "parts"):
        assert getattr(again, field) == getattr(candidate, field), field
    assert again.draft.urgent
