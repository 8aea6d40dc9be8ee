from loadtest.answers import MessageSeen, PartSeen, Refusal, Result
from loadtest.board import Board, differences, differences_of
from loadtest.sample import Ending, Entry


def entry(
    ref: str, status: str = "delivered", *, parts: int | None = 1, code: str | None = None, **more: object
) -> Entry:
    message = {"to": "13812345678", "text": "停水", "client_ref": ref, **more}
    return Entry(message=message, expect=Ending(status, parts, code), note=f"water: {ref}")


def seen(message_id: str, status: str, parts: int = 1) -> MessageSeen:
    return MessageSeen(message_id, status, "+8613812345678", "cmcc", [PartSeen(n, status, []) for n in range(parts)])


DELIVERED, FAILED = entry("delivered"), entry("failed", "failed", parts=2)
REFUSED = entry("refused", "refused", parts=None, code="too_long")
ENTRIES = (DELIVERED, FAILED, REFUSED)


def answered_board() -> Board:
    board = Board(ENTRIES)
    results = [Result("queued", "1", 1), Result("queued", "2", 2), Result("refused", error=Refusal("too_long", "…"))]
    board.take_results(ENTRIES, results)
    return board


def test_what_ended_as_expected_makes_no_difference():
    board = answered_board()
    board.take_list([seen("2", "failed", 2), seen("1", "delivered")])
    assert differences(board) == []
    assert board.finished == 3


def test_every_member_that_is_not_as_expected_is_named():
    assert differences_of(Ending("delivered", parts=2), Ending("unknown", parts=1)) == [
        "status must be delivered, is unknown",
        "parts must be 2, is 1",
    ]
    assert differences_of(Ending("refused", code="too_long"), Ending("delivered", parts=1)) == [
        "status must be refused, is delivered",
        "code must be too_long, is absent",
    ]


def test_differences_name_the_message_and_why_it_is_there():
    board = answered_board()
    board.take_list([seen("2", "delivered", 2), seen("1", "delivered")])
    assert differences(board) == ["failed (water: failed): status must be failed, is delivered"]


def test_a_message_that_is_not_final_is_a_difference():
    board = answered_board()
    board.take_list([seen("2", "failed", 2), seen("1", "submitted")])
    assert differences(board) == ["delivered (water: delivered): status must be delivered, is submitted"]
    assert board.finished == 2


def test_a_message_that_was_never_answered_is_a_difference():
    assert differences(Board([DELIVERED])) == [
        "delivered (water: delivered): status must be delivered, was never answered"
    ]


def test_a_message_that_the_list_lost_stays_as_it_was_answered():
    board = answered_board()
    board.take_list([seen("1", "delivered")])
    assert board.counts == {"delivered": 1, "queued": 1, "refused": 1}


def test_messages_that_nobody_sent_are_a_difference():
    board = answered_board()
    board.take_list([seen("2", "failed", 2), seen("1", "delivered"), seen("99", "delivered")])
    assert differences(board) == ["the gateway lists 1 messages that are not in the sample"]
