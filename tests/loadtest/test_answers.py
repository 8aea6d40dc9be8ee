import pytest

from loadtest.answers import Refusal, Reply, Result, read_results, read_totals, total
from loadtest.errors import CannotRun

METRICS = b"""# HELP gateway_messages_finished_total Messages that reached a final state.
# TYPE gateway_messages_finished_total counter
gateway_messages_finished_total{carrier="cmcc-a",network="cmcc",category="otp",status="delivered"} 1200.0
gateway_messages_finished_total{carrier="cbn-a",network="cbn",category="otp",status="failed"} 3.0
gateway_messages_finished_totally 9.0
gateway_build_info 1.0
"""


def test_a_single_message_is_answered_with_its_id():
    reply = Reply(202, b'{"id":"7","status":"queued","to":"+8613812345678","parts":2,"network":"cmcc"}', 0.01)
    assert read_results(reply) == [Result("queued", "7", 2)]


def test_a_single_message_that_is_refused_is_answered_with_a_problem():
    body = b'{"type":"about:blank","status":422,"code":"too_long","detail":"The text has 501 characters."}'
    assert read_results(Reply(422, body, 0.01)) == [
        Result("refused", error=Refusal("too_long", "The text has 501 characters."))
    ]


def test_an_array_is_answered_in_its_order():
    body = (
        b'{"accepted":1,"refused":1,"results":[{"error":{"code":"invalid_number","detail":"It is empty."},'
        b'"status":"refused"},{"id":"7","status":"queued","to":"+8613812345678","parts":1,"network":"cmcc"}]}'
    )
    refused, accepted = read_results(Reply(202, body, 0.01))
    assert (refused.error, accepted.id) == (Refusal("invalid_number", "It is empty."), "7")
    totals = read_totals(Reply(202, body, 0.01))
    assert (totals.accepted, totals.refused) == (1, 1)


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (401, b'{"code":"unauthorized"}', "401.*unauthorized"),
        (503, b"", "503"),
        (202, b"<html>", "else than was asked"),
    ],
)
def test_an_answer_of_another_kind_cannot_be_gone_on_with(status: int, body: bytes, shown: str):
    for read in (read_results, read_totals):
        with pytest.raises(CannotRun, match=shown):
            read(Reply(status, body, 0.01))


def test_a_metric_is_added_up_over_its_labels_and_no_other_is():
    assert total(METRICS, "gateway_messages_finished_total") == 1203
    assert total(METRICS, "gateway_build_info") == 1
    assert total(METRICS, "gateway_messages_lost_total") == 0
