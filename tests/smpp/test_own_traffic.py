"""What a session says and hears for its own upkeep, reported to an owner that keeps a journal of every PDU."""

from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    CommandId,
    EnquireLink,
    OwnTraffic,
    PeerUnbound,
    ResponseReceived,
    Role,
    Session,
    SessionClosed,
    SessionSettings,
    Unbind,
)

QUIET = SessionSettings(enquire_link_interval_seconds=None)
REPORTING = SessionSettings(enquire_link_interval_seconds=30.0, report_own_traffic=True)


def bound(settings: SessionSettings) -> tuple[Session, Session]:
    """An ESME that says nothing by itself, and an SMSC with these settings, bound to each other."""
    esme, smsc = Session(Role.ESME, QUIET, now=0.0), Session(Role.SMSC, settings, now=0.0)
    esme.send(BindTransceiver(system_id="gateway", password="secret"), now=0.0)
    [request] = smsc.receive_data(esme.data_to_send(), now=0.0)
    smsc.respond(request.pdu, BindTransceiverResp(system_id="smsc"), now=0.0)
    esme.receive_data(smsc.data_to_send(), now=0.0)
    return esme, smsc


def test_our_keep_alive_and_its_answer_are_reported():
    esme, smsc = bound(REPORTING)

    assert smsc.handle_timer(now=30.0) == [OwnTraffic(False, CommandId.ENQUIRE_LINK, 1)]
    esme.receive_data(smsc.data_to_send(), now=30.0)
    assert smsc.receive_data(esme.data_to_send(), now=30.1) == [OwnTraffic(True, CommandId.ENQUIRE_LINK_RESP, 1)]


def test_the_peer_s_keep_alive_and_our_answer_are_reported():
    esme, smsc = bound(REPORTING)
    esme.send(EnquireLink(), now=1.0)

    assert smsc.receive_data(esme.data_to_send(), now=1.0) == [
        OwnTraffic(True, CommandId.ENQUIRE_LINK, 2),
        OwnTraffic(False, CommandId.ENQUIRE_LINK_RESP, 2),
    ]


def test_an_unbind_of_ours_is_reported_with_what_comes_next():
    esme, smsc = bound(REPORTING)
    smsc.send(Unbind(), now=1.0)
    esme.receive_data(smsc.data_to_send(), now=1.0)

    events = smsc.receive_data(esme.data_to_send(), now=1.0)
    assert events[0] == OwnTraffic(False, CommandId.UNBIND, 1)
    assert isinstance(events[1], ResponseReceived)


def test_an_unbind_that_is_answered_is_reported_in_order():
    esme, smsc = bound(REPORTING)
    esme.send(Unbind(), now=1.0)

    events = smsc.receive_data(esme.data_to_send(), now=1.0)
    assert events[:2] == [PeerUnbound(), OwnTraffic(False, CommandId.UNBIND_RESP, 2)]
    assert events[2:] in ([], [SessionClosed()])


def test_a_session_that_is_not_asked_reports_none_of_it():
    esme, smsc = bound(SessionSettings(enquire_link_interval_seconds=30.0))

    assert smsc.handle_timer(now=30.0) == []
    esme.receive_data(smsc.data_to_send(), now=30.0)
    assert smsc.receive_data(esme.data_to_send(), now=30.1) == []
