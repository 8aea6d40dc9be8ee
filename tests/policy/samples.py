"""Drafts and what becomes of them, for the tests of policy, routing and intake."""

from typing import Any

from gateway.account import Account
from gateway.numbers import NumberPlan, normalise
from gateway.policy.candidate import Candidate, Draft

PLAN = NumberPlan.parse(
    "prefix,network,kind,note\n"
    "138,cmcc,mobile,\n"
    "130,cucc,mobile,\n"
    "133,ctcc,mobile,\n"
    "192,cbn,mobile,\n"
    "1349,satnet,satellite,\n"
    "148,cmcc,iot,\n"
    "170,cucc,mvno,\n"
)
DEMO = Account(name="demo")
SIGNED = Account(name="signed", signatures=("阳光物业",))
PHONE = "13800138000"
ABROAD = "+13105551234"
TEXT = "【阳光物业】您的快递已到物业前台。"


def a_draft(**fields: Any) -> Draft:
    return Draft(**({"to": PHONE, "text": TEXT} | fields))


def a_candidate(account: Account = DEMO, **fields: Any) -> Candidate:
    """A candidate whose number is known already, as after the number stage."""
    draft = a_draft(**fields)
    candidate = Candidate(draft, account, draft.text)
    candidate.number = normalise(draft.to)
    candidate.network = PLAN.lookup(candidate.number).network
    return candidate
