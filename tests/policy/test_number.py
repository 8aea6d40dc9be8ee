"""To whom: normalised, known to the plan, and reachable."""

import pytest

from gateway.numbers import Kind, Network, NumberFault
from gateway.policy.candidate import Candidate
from gateway.policy.number import NumberStage
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import DEMO, PLAN, a_draft


def decide(to: str, **options) -> tuple[Refusal | None, Candidate]:
    draft = a_draft(to=to)
    candidate = Candidate(draft, DEMO, draft.text)
    return NumberStage(PLAN, **options).decide(candidate, now=0.0), candidate


@pytest.mark.parametrize(
    ("to", "e164", "network"),
    [
        ("13800138000", "+8613800138000", Network.CMCC),
        ("+86 130-0013-8000", "+8613000138000", Network.CUCC),
        ("0086(133)00138000", "+8613300138000", Network.CTCC),
        ("１９２００１３８０００", "+8619200138000", Network.CBN),
        ("17000138000", "+8617000138000", Network.CUCC),
        ("16600138000", "+8616600138000", Network.UNKNOWN),
        ("+1 310 555 1234", "+13105551234", Network.OTHER),
    ],
)
def test_every_spelling_is_one_number_of_a_network(to: str, e164: str, network: Network):
    refusal, candidate = decide(to)
    assert refusal is None
    assert (candidate.to, candidate.network) == (e164, network)


@pytest.mark.parametrize("to", ["", "12345", "abc", "1380013800", "+8612345678901", "1440013800012", "\x00" * 11])
def test_what_is_no_number_is_refused_and_says_why(to: str):
    refusal, candidate = decide(to)
    assert refusal is not None
    assert refusal.reason is Reason.INVALID_NUMBER
    assert any(fault.value in refusal.detail for fault in NumberFault)
    assert candidate.number is None
    assert len(to) < 4 or to not in refusal.detail + str(refusal.data)


@pytest.mark.parametrize(("to", "kind"), [("13490138000", Kind.SATELLITE), ("14800138000", Kind.IOT)])
def test_numbers_that_no_short_message_reaches_are_refused_unless_said_otherwise(to: str, kind: Kind):
    refusal, _ = decide(to)
    assert refusal is not None
    assert (refusal.reason, refusal.data) == (Reason.INVALID_NUMBER, {"kind": str(kind)})
    assert decide(to, refused_kinds=frozenset())[0] is None
