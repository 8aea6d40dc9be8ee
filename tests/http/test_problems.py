import pytest

from gateway.http.problems import STATUS, Code, Fault, Problem, invalid, refusal_document, refusal_status
from gateway.policy.verdict import Reason, Refusal


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(Code)


def test_a_problem_is_a_document_as_rfc_9457_has_it() -> None:
    problem = invalid(Fault(pointer="/17/to", rule="must be a string", value="5"), Fault(pointer="/18", rule="x"))

    assert problem.document() == {
        "type": "urn:yizhan:problem:invalid_request",
        "title": "Invalid request",
        "status": 400,
        "code": "invalid_request",
        "detail": "/17/to must be a string",
        "errors": problem.faults,
    }


@pytest.mark.parametrize("code", Code)
def test_a_client_is_told_to_come_back_where_that_may_help(code: Code) -> None:
    assert Problem(code, "").may_pass == (STATUS[code] in {429, 503})


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_unprocessable_but_for_a_conflict_and_a_fault_of_ours(reason: Reason) -> None:
    status = {Reason.CLIENT_REF_CONFLICT: 409, Reason.INTERNAL: 500}.get(reason, 422)
    assert refusal_status(Refusal(reason, "")) == status


def test_the_data_of_a_refusal_stands_beside_the_usual_members_and_never_in_their_place() -> None:
    document = refusal_document(
        Refusal(Reason.TOO_LONG, "Too long.", {"limit": 500, "status": 1, "code": "x"}), chinese=False
    )

    assert document == {
        "limit": 500,
        "type": "urn:yizhan:problem:too_long",
        "title": "Too long",
        "status": 422,
        "code": "too_long",
        "detail": "Too long.",
    }


def test_a_refusal_is_told_in_chinese_when_asked_for_and_there() -> None:
    refusal = Refusal(Reason.TOO_LONG, "Too long.", chinese="正文过长。")

    assert refusal_document(refusal, chinese=True)["detail"] == "正文过长。"
    assert refusal_document(Refusal(Reason.TOO_LONG, "Too long."), chinese=True)["detail"] == "Too long."
