"""Sessions: both ends in memory, time a plain number."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.smpp import (
    AlertNotification,
    BindTransceiver,
    BindTransceiverResp,
    CommandId,
    CommandStatus,
    ConnectionLost,
    DataSm,
    DataSmResp,
    DecodeError,
    DeliverSm,
    DeliverSmResp,
    EncodeError,
    EnquireLink,
    EnquireLinkResp,
    FramingError,
    GenericNack,
    LocalProtocolError,
    Outbind,
    Pdu,
    PeerSilent,
    PeerTooSlow,
    PeerUnbound,
    RequestReceived,
    RequestRefused,
    RequestUnanswered,
    ResponseReceived,
    Role,
    Session,
    SessionBroken,
    SessionClosed,
    SessionNotInitiated,
    SessionSettings,
    State,
    StrayResponse,
    SubmitSm,
    SubmitSmResp,
    Unanswered,
    Unbind,
    UnbindResp,
    WindowFull,
    decode,
    encode,
)
from gateway.smpp.constants import LAST_SEQUENCE_NUMBER

HELLO = SubmitSm(source_addr="1069", destination_addr="8613812345678", short_message=b"hello")
BIND = BindTransceiver(system_id="gateway", password="secret")
MakeLink = Callable[..., Any]


def body_of(data: bytes) -> tuple[int, object]:
    pdu = decode(data)
    return pdu.command_status, pdu.body


# --- bind ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "state"), [("tx", State.BOUND_TX), ("rx", State.BOUND_RX), ("trx", State.BOUND_TRX)])
def test_a_bind_binds_both_ends(make_link: MakeLink, mode: str, state: State):
    link = make_link()
    link.bind(mode)
    assert (link.esme.state, link.smsc.state) == (state, state)
    assert link.esme.window_in_use == 0


def test_a_refused_bind_leaves_both_ends_open_and_may_be_tried_again(link: Any):
    pdu = link.ask(BIND)
    link.smsc.respond(pdu, BindTransceiverResp(), now=0.0, command_status=CommandStatus.ESME_RINVPASWD)
    assert link.to_esme() == [ResponseReceived(1, BIND, BindTransceiverResp(), 0x0E, None)]
    assert (link.esme.state, link.smsc.state) == (State.OPEN, State.OPEN)
    link.bind()
    assert link.esme.state is State.BOUND_TRX


def test_a_bind_answered_by_a_generic_nack_is_refused(link: Any):
    pdu = link.ask(BIND)
    link.smsc.respond(pdu, GenericNack(), now=0.0, command_status=CommandStatus.ESME_RSYSERR)
    assert link.to_esme() == [ResponseReceived(1, BIND, GenericNack(), 0x08, None)]
    assert (link.esme.state, link.smsc.state) == (State.OPEN, State.OPEN)


def test_a_second_bind_is_refused_as_already_bound(bound: Any):
    again = encode(Pdu(0, 9, BIND))
    [refused] = bound.smsc.receive_data(again, now=0.0)
    assert refused.command_status == CommandStatus.ESME_RALYBND
    assert body_of(bound.smsc.data_to_send()) == (CommandStatus.ESME_RALYBND, BindTransceiverResp())
    assert bound.smsc.state is State.BOUND_TRX


def test_a_connection_that_does_not_bind_in_time_is_broken():
    session = Session(Role.SMSC, SessionSettings(session_init_timeout_seconds=5.0), now=100.0)
    assert session.next_deadline == 105.0
    assert session.handle_timer(now=104.9) == []
    [broken] = session.handle_timer(now=105.0)
    assert isinstance(broken.error, SessionNotInitiated)
    assert session.next_deadline is None


def test_an_unanswered_bind_breaks_the_session_and_is_handed_back(link: Any):
    link.esme.send(BIND, now=0.0, context="bind")
    assert link.esme.handle_timer(now=9.9) == []
    [broken] = link.esme.handle_timer(now=10.0)
    assert isinstance(broken.error, PeerSilent)
    assert broken.unanswered == (Unanswered(1, BIND, "bind"),)
    assert link.esme.state is State.CLOSED


def test_a_bound_session_is_not_broken_by_the_init_timer(bound: Any):
    assert bound.smsc.handle_timer(now=30.0) == []
    assert bound.smsc.state is State.BOUND_TRX


def test_an_outbind_is_reported_and_followed_by_a_bind(link: Any):
    link.smsc.send(Outbind(system_id="smsc", password="key"), now=0.0)
    [event] = link.to_esme()
    assert event.pdu.body == Outbind(system_id="smsc", password="key")
    with pytest.raises(LocalProtocolError):
        link.esme.respond(event.pdu, GenericNack(), now=0.0)
    link.bind("rx")
    assert link.smsc.state is State.BOUND_RX


def test_damaged_bind_response_breaks_the_session(link: Any):
    link.esme.send(BIND, now=0.0)
    [broken] = link.esme.receive_data(b"\0\0\0\x12\x80\0\0\x09\0\0\0\0\0\0\0\1xx", now=0.0)
    assert isinstance(broken.error, DecodeError)
    assert broken.unanswered == (Unanswered(1, BIND, None),)


# --- requests and responses ---------------------------------------------------------------------------------------


def test_a_submit_comes_back_with_its_response_and_context(bound: Any):
    pdu = bound.ask(HELLO, context="message 1")
    assert pdu.body == HELLO
    bound.smsc.respond(pdu, SubmitSmResp(message_id="77"), now=0.1)
    assert bound.to_esme(now=0.2) == [ResponseReceived(2, HELLO, SubmitSmResp(message_id="77"), 0, "message 1")]


def test_a_deliver_goes_the_other_way(bound: Any):
    bound.smsc.send(DeliverSm(short_message=b"in"), now=0.0)
    [event] = bound.to_esme()
    bound.esme.respond(event.pdu, DeliverSmResp(), now=0.0, command_status=CommandStatus.ESME_RX_T_APPN)
    [answer] = bound.to_smsc()
    assert answer.command_status is CommandStatus.ESME_RX_T_APPN


def test_responses_may_come_in_any_order(bound: Any):
    first, second = bound.ask(HELLO, context=1), bound.ask(HELLO, context=2)
    bound.smsc.respond(second, SubmitSmResp(message_id="b"), now=0.0)
    bound.smsc.respond(first, SubmitSmResp(message_id="a"), now=0.0)
    assert [(event.context, event.response.message_id) for event in bound.to_esme()] == [(2, "b"), (1, "a")]


def test_a_refusal_leaves_bare_where_the_specification_wants_that(bound: Any):
    pdu = bound.ask(HELLO)
    bound.smsc.respond(pdu, SubmitSmResp(message_id="x"), now=0.0, command_status=CommandStatus.ESME_RTHROTTLED)
    data = bound.smsc.data_to_send()
    assert len(data) == 16
    [event] = bound.esme.receive_data(data, now=0.0)
    assert (event.response, event.command_status) == (SubmitSmResp(), CommandStatus.ESME_RTHROTTLED)


@pytest.mark.parametrize(("status", "reported"), [(3, CommandStatus.ESME_RINVCMDID), (0, 0xFF)])
def test_a_generic_nack_answers_a_request_and_never_with_status_0(bound: Any, status: int, reported: int):
    bound.esme.send(HELLO, now=0.0, context="m")
    nack = encode(Pdu(status, 2, GenericNack()))
    assert bound.esme.receive_data(nack, now=0.0) == [ResponseReceived(2, HELLO, GenericNack(), reported, "m")]
    assert bound.esme.window_in_use == 0


def test_data_sm_goes_both_ways(bound: Any):
    pdu = bound.ask(DataSm(destination_addr="86"))
    bound.smsc.respond(pdu, DataSmResp(message_id="d"), now=0.0)
    bound.smsc.send(DataSm(destination_addr="1069"), now=0.0)
    answered, asked = bound.to_esme()
    assert isinstance(answered, ResponseReceived)
    assert isinstance(asked, RequestReceived)


def test_an_alert_notification_takes_no_answer_and_no_slot(bound: Any):
    bound.smsc.send(AlertNotification(source_addr="86", esme_addr="1069"), now=0.0)
    assert bound.smsc.window_in_use == 0
    [event] = bound.to_esme()
    assert event.pdu.command_id is CommandId.ALERT_NOTIFICATION


def test_a_session_answers_an_enquire_link_itself(bound: Any):
    bound.smsc.send(EnquireLink(), now=0.0, context="ours")
    assert bound.to_esme() == []
    assert bound.to_smsc() == [ResponseReceived(1, EnquireLink(), EnquireLinkResp(), 0, "ours")]


def test_an_enquire_link_before_the_bind_is_answered(link: Any):
    assert link.smsc.receive_data(encode(Pdu(0, 1, EnquireLink())), now=0.0) == []
    assert body_of(link.smsc.data_to_send()) == (0, EnquireLinkResp())


def test_a_response_to_nothing_is_reported_and_changes_nothing(bound: Any):
    stray = encode(Pdu(0, 99, SubmitSmResp(message_id="x")))
    assert bound.esme.receive_data(stray, now=0.0) == [StrayResponse(CommandId.SUBMIT_SM_RESP, 0, 99)]
    assert bound.esme.data_to_send() == b""


def test_a_response_of_another_command_does_not_answer_a_request(bound: Any):
    bound.esme.send(HELLO, now=0.0)
    wrong = encode(Pdu(0, 2, DataSmResp(message_id="x")))
    assert bound.esme.receive_data(wrong, now=0.0) == [StrayResponse(CommandId.DATA_SM_RESP, 0, 2)]
    assert bound.esme.window_in_use == 1


def test_what_does_not_answer_a_request_cannot_be_sent_as_its_response(bound: Any):
    pdu = bound.ask(HELLO)
    with pytest.raises(LocalProtocolError, match="DELIVER_SM_RESP does not answer SUBMIT_SM"):
        bound.smsc.respond(pdu, DeliverSmResp(), now=0.0)


def test_a_body_that_does_not_fit_is_refused_and_costs_nothing(bound: Any):
    with pytest.raises(EncodeError):
        bound.esme.send(SubmitSm(destination_addr="1" * 30), now=0.0)
    assert (bound.esme.window_in_use, bound.esme.data_to_send()) == (0, b"")
    assert bound.esme.send(HELLO, now=0.0) == 3  # a number may be lost, never used twice


def test_more_requests_than_we_may_owe_answers_are_refused_for_now(make_link: MakeLink):
    link = make_link(smsc={"max_owed_responses": 2}, window=10)
    link.bind()
    for context in range(3):
        link.esme.send(HELLO, now=0.0, context=context)
    link.esme.send(EnquireLink(), now=0.0, context="alive")
    first, _, refused = link.to_smsc()
    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    answers = link.to_esme()
    assert [(event.context, event.command_status) for event in answers] == [(2, 0x14), ("alive", 0)]
    link.smsc.respond(first.pdu, SubmitSmResp(message_id="1"), now=0.0)
    assert isinstance(link.ask(HELLO), Pdu)


def test_more_deliveries_than_we_may_owe_answers_are_to_come_again(make_link: MakeLink):
    link = make_link(max_owed_responses=1)
    link.bind()
    link.smsc.send(DeliverSm(), now=0.0)
    link.smsc.send(DeliverSm(), now=0.0)
    _, refused = link.to_esme()
    assert refused.command_status == CommandStatus.ESME_RX_T_APPN


# --- the window ---------------------------------------------------------------------------------------------------


def test_a_full_window_refuses_requests_until_a_response_comes(make_link: MakeLink):
    link = make_link(window=2)
    link.bind()
    pdu = link.ask(HELLO)
    link.esme.send(HELLO, now=0.0)
    assert link.esme.window_free == 0
    with pytest.raises(WindowFull):
        link.esme.send(HELLO, now=0.0)
    link.smsc.respond(pdu, SubmitSmResp(message_id="1"), now=0.0)
    link.to_esme()
    assert link.esme.window_free == 1
    link.esme.send(HELLO, now=0.0)


def test_a_full_window_mutes_neither_enquire_link_nor_unbind(make_link: MakeLink):
    link = make_link(window=1, enquire_link_interval_seconds=5.0)
    link.bind()
    link.esme.send(HELLO, now=0.0)
    link.esme.data_to_send()
    assert link.esme.handle_timer(now=5.0) == []
    assert body_of(link.esme.data_to_send()) == (0, EnquireLink())
    link.esme.send(EnquireLink(), now=5.0)
    link.esme.send(Unbind(), now=5.0)
    assert link.esme.window_in_use == 1


def test_a_held_slot_stays_taken_until_it_is_released(make_link: MakeLink):
    link = make_link(window=1, hold_slots=True)
    link.bind()
    pdu = link.ask(HELLO)
    link.smsc.respond(pdu, SubmitSmResp(message_id="1"), now=0.0)
    [event] = link.to_esme()
    assert link.esme.window_free == 0
    link.esme.release(event.sequence_number)
    assert link.esme.window_free == 1
    link.esme.release(event.sequence_number)
    assert link.esme.window_free == 1


def test_a_slot_of_an_unanswered_request_cannot_be_released(make_link: MakeLink):
    link = make_link(window=1, hold_slots=True)
    link.bind()
    number = link.esme.send(HELLO, now=0.0)
    link.esme.release(number)
    assert link.esme.window_free == 0


def test_sequence_numbers_wrap_and_skip_those_that_are_still_meant(make_link: MakeLink):
    link = make_link(window=10, hold_slots=True)
    link.bind()
    link.esme._window._last_number = 0
    held, late = link.ask(HELLO, now=0.0), link.ask(HELLO, now=0.0)
    link.smsc.respond(held, SubmitSmResp(message_id="1"), now=0.0)
    link.to_esme()
    link.esme.handle_timer(now=10.0)
    unanswered = link.esme.send(HELLO, now=10.0)
    assert (held.sequence_number, late.sequence_number, unanswered) == (1, 2, 3)
    link.esme._window._last_number = LAST_SEQUENCE_NUMBER - 1
    assert link.esme.send(HELLO, now=10.0) == LAST_SEQUENCE_NUMBER
    assert link.esme.send(HELLO, now=10.0) == 4


# --- time ---------------------------------------------------------------------------------------------------------


def test_unanswered_submit_is_in_doubt_at_its_deadline_and_not_before(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    assert bound.esme.next_deadline == 10.0
    assert bound.esme.handle_timer(now=9.999) == []
    assert bound.esme.handle_timer(now=10.0) == [RequestUnanswered(2, HELLO, "m")]
    assert bound.esme.window_in_use == 0


def test_requests_run_out_of_time_one_by_one(bound: Any):
    for at in (0.0, 1.0, 2.0):
        bound.esme.send(HELLO, now=at, context=at)
    assert [event.context for event in bound.esme.handle_timer(now=11.5)] == [0.0, 1.0]
    assert bound.esme.next_deadline == 12.0
    assert [event.context for event in bound.esme.handle_timer(now=12.0)] == [2.0]


def test_a_late_response_still_says_what_became_of_its_request(bound: Any):
    pdu = bound.ask(HELLO, context="m")
    bound.esme.handle_timer(now=10.0)
    bound.smsc.respond(pdu, SubmitSmResp(message_id="77"), now=60.0)
    response = SubmitSmResp(message_id="77")
    assert bound.to_esme(now=60.0) == [ResponseReceived(2, HELLO, response, 0, "m", late=True)]
    assert bound.esme.window_in_use == 0
    again = encode(Pdu(0, 2, response))
    assert bound.esme.receive_data(again, now=61.0) == [StrayResponse(CommandId.SUBMIT_SM_RESP, 0, 2)]


def test_a_late_response_takes_no_slot_to_be_released(make_link: MakeLink):
    link = make_link(window=1, hold_slots=True)
    link.bind()
    pdu = link.ask(HELLO)
    link.esme.handle_timer(now=10.0)
    link.smsc.respond(pdu, SubmitSmResp(message_id="77"), now=10.0)
    link.to_esme(now=10.0)
    assert link.esme.window_free == 1


def test_only_so_many_late_requests_are_remembered(make_link: MakeLink):
    link = make_link(window=5, max_late_requests=2)
    link.bind()
    for _ in range(3):
        link.esme.send(HELLO, now=0.0)
    assert len(link.esme.handle_timer(now=10.0)) == 3
    late = b"".join(encode(Pdu(0, number, SubmitSmResp(message_id="x"))) for number in (2, 3, 4))
    first, *others = link.esme.receive_data(late, now=11.0)
    assert isinstance(first, StrayResponse)
    assert [event.late for event in others] == [True, True]


def test_a_silent_peer_is_asked_whether_it_is_there(bound: Any):
    bound.to_smsc()
    assert bound.esme.next_deadline <= 30.0
    assert bound.esme.handle_timer(now=29.9) == []
    assert bound.esme.data_to_send() == b""
    assert bound.esme.handle_timer(now=30.0) == []
    assert bound.to_smsc(now=30.0) == []
    assert bound.to_esme(now=31.0) == []
    assert bound.esme.handle_timer(now=60.9) == []
    assert bound.esme.data_to_send() == b""
    bound.esme.handle_timer(now=61.0)
    assert body_of(bound.esme.data_to_send()) == (0, EnquireLink())


def test_a_peer_that_speaks_is_not_asked(bound: Any):
    bound.smsc.send(DeliverSm(), now=20.0)
    bound.to_esme(now=20.0)
    bound.esme.data_to_send()
    bound.esme.handle_timer(now=30.0)
    assert bound.esme.data_to_send() == b""
    assert bound.esme.next_deadline == 50.0


def test_an_unanswered_enquire_link_breaks_the_session(bound: Any):
    bound.esme.handle_timer(now=30.0)
    bound.esme.send(HELLO, now=35.0, context="m")
    assert bound.esme.handle_timer(now=39.9) == []
    [broken] = bound.esme.handle_timer(now=40.0)
    assert isinstance(broken.error, PeerSilent)
    assert broken.unanswered == (Unanswered(3, HELLO, "m"),)  # the session's own enquire_link is not handed back


def test_keep_alive_can_be_turned_off(make_link: MakeLink):
    link = make_link(enquire_link_interval_seconds=None)
    link.bind()
    link.esme.handle_timer(now=1e6)
    assert link.esme.data_to_send() == b""
    assert link.esme.next_deadline is None


def test_a_short_keep_alive_goes_on_after_each_answer(make_link: MakeLink):
    link = make_link(enquire_link_interval_seconds=2.0, response_timeout_seconds=10.0)
    link.bind()
    asked = 0
    for now in range(1, 21):
        link.esme.handle_timer(now=float(now))
        asked += len(link.esme._to_send)
        link.to_smsc(now=float(now))
        link.to_esme(now=float(now))
        assert link.esme.next_deadline <= now + 2.0
    assert asked == 10


def test_a_session_that_passes_no_messages_is_unbound(make_link: MakeLink):
    link = make_link(smsc={"inactivity_timeout_seconds": 60.0})
    link.bind()
    for now in (25.0, 50.0, 59.0):
        link.esme.handle_timer(now=now)
        link.esme.send(EnquireLink(), now=now)  # keep-alive is no activity
        link.to_smsc(now=now)
        link.to_esme(now=now)
        assert link.smsc.handle_timer(now=now) == []
    assert link.smsc.handle_timer(now=60.0) == []
    assert link.smsc.state is State.UNBINDING
    assert link.to_esme(now=60.0) == [PeerUnbound(), SessionClosed()]
    assert link.to_smsc(now=60.0) == [SessionClosed()]


def test_a_message_either_way_keeps_a_session_from_being_inactive(make_link: MakeLink):
    link = make_link(inactivity_timeout_seconds=60.0, enquire_link_interval_seconds=None)
    link.bind()
    link.esme.send(HELLO, now=40.0)
    link.esme.handle_timer(now=99.0)
    assert link.esme.state is State.BOUND_TRX
    link.smsc.send(DeliverSm(), now=99.0)
    link.to_esme(now=99.0)
    link.esme.handle_timer(now=158.0)
    assert link.esme.state is State.BOUND_TRX
    link.esme.handle_timer(now=159.0)
    assert link.esme.state is State.UNBINDING


# --- the end ------------------------------------------------------------------------------------------------------


def test_an_unbind_ends_both_ends_in_order(bound: Any):
    bound.esme.send(Unbind(), now=0.0)
    assert bound.to_smsc() == [PeerUnbound(), SessionClosed()]
    closed = bound.to_esme()
    assert closed == [ResponseReceived(2, Unbind(), UnbindResp(), 0, None), SessionClosed()]
    assert (bound.esme.state, bound.smsc.state) == (State.CLOSED, State.CLOSED)


def test_an_smsc_may_unbind_too(bound: Any):
    bound.smsc.send(Unbind(), now=0.0)
    assert bound.to_esme() == [PeerUnbound(), SessionClosed()]
    assert bound.to_smsc()[-1] == SessionClosed()


def test_what_came_before_the_unbind_is_answered_before_it(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    bound.esme.send(Unbind(), now=0.0)
    asked, unbound = bound.to_smsc(now=0.0)
    assert unbound == PeerUnbound()
    assert bound.smsc.data_to_send() == b""
    bound.smsc.respond(asked.pdu, SubmitSmResp(message_id="1"), now=1.0)
    assert bound.smsc.next_deadline == 1.0
    assert bound.smsc.handle_timer(now=1.0) == [SessionClosed()]
    answered, _, closed = bound.to_esme(now=1.0)
    assert (answered.context, closed) == ("m", SessionClosed())


def test_an_unbind_does_not_wait_for_ever_for_an_owner_that_does_not_answer(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    bound.esme.send(Unbind(), now=0.0)
    asked, _ = bound.to_smsc(now=0.0)
    assert bound.smsc.handle_timer(now=9.9) == []
    assert bound.smsc.handle_timer(now=10.0) == [SessionClosed()]
    assert body_of(bound.smsc.data_to_send()) == (0, UnbindResp())
    with pytest.raises(LocalProtocolError):
        bound.smsc.respond(asked.pdu, SubmitSmResp(message_id="1"), now=11.0)


def test_what_is_unanswered_at_the_end_is_handed_back(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    bound.esme.send(Unbind(), now=0.0)
    [_, closed] = bound.esme.receive_data(encode(Pdu(0, 3, UnbindResp())), now=0.0)
    assert closed == SessionClosed((Unanswered(2, HELLO, "m"),))


def test_while_unbinding_requests_on_their_way_are_taken_and_answered(bound: Any):
    bound.esme.send(Unbind(), now=0.0)
    bound.smsc.send(DeliverSm(), now=0.0)
    [event] = bound.to_esme()
    bound.esme.respond(event.pdu, DeliverSmResp(), now=0.0)
    with pytest.raises(LocalProtocolError, match="SUBMIT_SM may not be sent by ESME while UNBINDING"):
        bound.esme.send(HELLO, now=0.0)
    unbound, answered, closed = bound.to_smsc()
    assert (unbound, answered.request, closed) == (PeerUnbound(), DeliverSm(), SessionClosed())


def test_after_answering_an_unbind_a_session_waits_for_its_own_answers_until_the_transport_ends(bound: Any):
    bound.smsc.send(DeliverSm(), now=0.0, context="in")
    assert bound.smsc.receive_data(encode(Pdu(0, 2, Unbind())), now=0.0) == [PeerUnbound()]
    assert bound.smsc.data_to_send().endswith(encode(Pdu(0, 2, UnbindResp())))
    assert bound.smsc.receive_eof(now=0.1) == [SessionClosed((Unanswered(1, DeliverSm(), "in"),))]


def test_after_answering_an_unbind_a_session_does_not_wait_for_ever(bound: Any):
    bound.smsc.receive_data(encode(Pdu(0, 2, EnquireLink())), now=5.0)
    bound.smsc.send(DeliverSm(), now=5.0, context="in")
    bound.smsc.receive_data(encode(Pdu(0, 3, Unbind())), now=6.0)
    assert bound.smsc.handle_timer(now=15.0) == [RequestUnanswered(1, DeliverSm(), "in")]
    assert bound.smsc.handle_timer(now=16.0) == [SessionClosed()]


def test_both_ends_may_unbind_at_once(bound: Any):
    bound.esme.send(Unbind(), now=0.0)
    bound.smsc.send(Unbind(), now=0.0)
    assert bound.to_smsc() == [PeerUnbound()]
    assert bound.to_esme()[-1] == SessionClosed()
    assert bound.to_smsc()[-1] == SessionClosed()


def test_an_unanswered_unbind_breaks_the_session(bound: Any):
    bound.esme.send(Unbind(), now=0.0)
    assert bound.esme.handle_timer(now=9.9) == []
    [broken] = bound.esme.handle_timer(now=10.0)
    assert isinstance(broken.error, PeerSilent)


def test_the_end_of_the_transport_hands_back_what_is_unanswered(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    [broken] = bound.esme.receive_eof(now=3.0)
    assert isinstance(broken.error, ConnectionLost)
    assert broken.unanswered == (Unanswered(2, HELLO, "m"),)


def test_the_end_of_the_transport_while_unbinding_is_in_order(bound: Any):
    bound.esme.send(Unbind(), now=0.0, context="leave")
    assert bound.esme.receive_eof(now=1.0) == [SessionClosed((Unanswered(2, Unbind(), "leave"),))]


def test_an_owner_may_give_a_session_up(bound: Any):
    bound.esme.send(HELLO, now=0.0)
    error = PeerTooSlow("does not read")
    assert bound.esme.abandon(error) == [SessionBroken(error, (Unanswered(2, HELLO, None),))]
    assert bound.esme.abandon(error) == []


def test_after_the_end_nothing_is_sent_taken_or_timed(bound: Any):
    bound.esme.receive_eof(now=0.0)
    assert bound.esme.receive_data(encode(Pdu(0, 1, DeliverSm())), now=0.0) == []
    assert bound.esme.receive_eof(now=0.0) == []
    assert bound.esme.handle_timer(now=1e9) == []
    assert bound.esme.next_deadline is None
    assert bound.esme.is_over
    with pytest.raises(LocalProtocolError):
        bound.esme.send(HELLO, now=0.0)


# --- damage -------------------------------------------------------------------------------------------------------


def test_a_damaged_request_is_refused_and_the_stream_goes_on(bound: Any):
    good = encode(Pdu(0, 8, HELLO))
    bad = bytearray(encode(Pdu(0, 7, HELLO)))
    bad[-6] = 200  # sm_length
    refused, taken = bound.smsc.receive_data(bytes(bad) + good, now=0.0)
    assert (refused.command_id, refused.sequence_number) == (CommandId.SUBMIT_SM, 7)
    assert refused.command_status == CommandStatus.ESME_RINVMSGLEN
    assert taken == RequestReceived(Pdu(0, 8, HELLO))
    assert body_of(bound.smsc.data_to_send()) == (CommandStatus.ESME_RINVMSGLEN, SubmitSmResp())


def test_an_unknown_command_is_refused_by_a_generic_nack(bound: Any):
    [refused] = bound.smsc.receive_data(b"\0\0\0\x14\0\1\2\3\0\0\0\0\0\0\0\x05body", now=0.0)
    assert refused.command_id == 0x00010203
    nack = decode(bound.smsc.data_to_send())
    assert nack == Pdu(CommandStatus.ESME_RINVCMDID, 5, GenericNack())


def test_command_id_0_is_no_request(bound: Any):
    [refused] = bound.smsc.receive_data(b"\0\0\0\x10" + bytes(11) + b"\x05", now=0.0)
    assert refused.command_status == CommandStatus.ESME_RINVCMDID
    assert decode(bound.smsc.data_to_send()) == Pdu(CommandStatus.ESME_RINVCMDID, 5, GenericNack())


def test_a_command_that_has_no_response_is_refused_by_a_generic_nack(bound: Any):
    [refused] = bound.smsc.receive_data(encode(Pdu(0, 5, AlertNotification(source_addr="1", esme_addr="2"))), now=0.0)
    assert isinstance(refused, RequestRefused)
    assert decode(bound.smsc.data_to_send()) == Pdu(CommandStatus.ESME_RINVBNDSTS, 5, GenericNack())


def test_an_unknown_response_is_never_answered(bound: Any):
    assert bound.smsc.receive_data(b"\0\0\0\x10\x80\1\2\3\0\0\0\0\0\0\0\x05", now=0.0) == [
        StrayResponse(0x80010203, 0, 5)
    ]
    assert bound.smsc.data_to_send() == b""


def test_a_malformed_response_is_never_answered_and_leaves_its_request_in_doubt(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    bound.esme.data_to_send()
    malformed = b"\0\0\0\x12\x80\0\0\x04\0\0\0\0\0\0\0\2xx"  # no NUL
    assert bound.esme.receive_data(malformed, now=0.0) == [RequestUnanswered(2, HELLO, "m")]
    assert bound.esme.data_to_send() == b""
    assert bound.esme.window_in_use == 0
    assert bound.esme.state is State.BOUND_TRX


def test_a_malformed_late_response_changes_nothing(bound: Any):
    bound.esme.send(HELLO, now=0.0)
    bound.esme.handle_timer(now=10.0)
    assert bound.esme.receive_data(b"\0\0\0\x12\x80\0\0\x04\0\0\0\0\0\0\0\2xx", now=11.0) == []


def test_a_malformed_refusal_is_still_a_refusal(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    refusal = b"\0\0\0\x12\x80\0\0\x04\0\0\0\x58\0\0\0\2xx"
    assert bound.esme.receive_data(refusal, now=0.0) == [ResponseReceived(2, HELLO, SubmitSmResp(), 0x58, "m")]


def test_a_response_before_the_damage_is_not_lost_with_it(bound: Any):
    bound.esme.send(HELLO, now=0.0, context="m")
    bound.esme.data_to_send()
    good = encode(Pdu(0, 2, SubmitSmResp(message_id="1")))
    answered, broken = bound.esme.receive_data(good + b"\0\0\0\x01" + b"garbage" * 5, now=0.0)
    assert answered.response == SubmitSmResp(message_id="1")
    assert isinstance(broken.error, FramingError)
    assert broken.unanswered == ()


@pytest.mark.parametrize("length", [0, 15, 128 * 1024 + 1, 2**31])
def test_a_senseless_length_is_nacked_and_ends_the_session(bound: Any, length: int):
    [broken] = bound.smsc.receive_data(length.to_bytes(4, "big") + encode(Pdu(0, 5, HELLO))[4:], now=0.0)
    assert isinstance(broken.error, FramingError)
    assert decode(bound.smsc.data_to_send()) == Pdu(CommandStatus.ESME_RINVCMDLEN, 5, GenericNack())
    assert bound.smsc.state is State.CLOSED


def test_a_senseless_length_of_a_response_is_not_nacked(bound: Any):
    [broken] = bound.smsc.receive_data(b"\xff" + encode(Pdu(0, 5, DeliverSmResp()))[1:], now=0.0)
    assert isinstance(broken.error, FramingError)
    assert bound.smsc.data_to_send() == b""


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("window", 0, "must be at least 1"),
        ("max_pdu_bytes", 100, "must be at least 1024"),
        ("max_owed_responses", 0, "must be at least 1"),
        ("max_late_requests", -1, "must be at least 0"),
        ("response_timeout_seconds", 0.0, "must be greater than 0"),
        ("enquire_link_interval_seconds", -1.0, "must be greater than 0"),
        ("inactivity_timeout_seconds", 0.0, "must be greater than 0"),
        ("session_init_timeout_seconds", 0.0, "must be greater than 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_name_value_and_rule(name: str, value: float, rule: str):
    with pytest.raises(ValueError, match=f"{name} = {value}: {rule}"):
        SessionSettings(**{name: value})  # type: ignore[arg-type]
