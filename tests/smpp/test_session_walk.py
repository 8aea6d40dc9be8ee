"""Live sessions against the state table: what it allows is sent and taken, what it forbids is refused."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from gateway.smpp import (
    TOLERATED,
    TRANSITIONS,
    Body,
    CommandId,
    CommandStatus,
    DistributionList,
    GenericNack,
    LocalProtocolError,
    Outcome,
    Pdu,
    RequestReceived,
    RequestRefused,
    Role,
    SessionBroken,
    State,
    StrayResponse,
    Unbind,
    decode,
    encode,
)
from gateway.smpp.pdus import BODY_TYPES
from gateway.smpp.states import UNANSWERED_COMMANDS

STATES = [*State]
REQUIRED: dict[str, Any] = {
    "system_id": "a",
    "password": "b",
    "message_id": "c",
    "dest_addresses": (DistributionList(dl_name="l"),),
}
BODIES: dict[CommandId, Body] = {
    body_type.command_id: body_type(
        **{name: REQUIRED[name] for name in body_type.__struct_fields__ if name in REQUIRED and name != "tlvs"}
    )
    for body_type in BODY_TYPES
}
REQUESTS = [command for command in CommandId if not command.is_response]


def bring(link: Any, state: State, unbinding: Role) -> None:
    """Bring both ends of `link` to `state`; `unbinding` is who asks to leave where that matters."""
    modes = {State.BOUND_TX: "tx", State.BOUND_RX: "rx", State.BOUND_TRX: "trx"}
    binding = {
        State.BINDING_TX: CommandId.BIND_TRANSMITTER,
        State.BINDING_RX: CommandId.BIND_RECEIVER,
        State.BINDING_TRX: CommandId.BIND_TRANSCEIVER,
    }
    if state in modes:
        link.bind(modes[state])
    elif state in binding:
        link.ask(BODIES[binding[state]])
    elif state is State.UNBINDING:
        link.bind("trx")
        # A request without answer on the other side keeps the other end from leaving at once.
        end = link.esme if unbinding is Role.ESME else link.smsc
        end.send(BODIES[CommandId.DATA_SM], now=0.0)
        end.send(Unbind(), now=0.0)
        (link.to_smsc if unbinding is Role.ESME else link.to_esme)()
    elif state is State.CLOSED:
        link.esme.receive_eof(now=0.0)
        link.smsc.receive_eof(now=0.0)
    assert (link.esme.state, link.smsc.state) == (state, state)
    link.esme.data_to_send()
    link.smsc.data_to_send()


@pytest.mark.parametrize(("state", "role", "command"), list(product(STATES, Role, REQUESTS)))
def test_a_session_sends_what_the_table_allows_and_refuses_the_rest(
    make_link: Callable[..., Any], state: State, role: Role, command: CommandId
):
    link = make_link()
    bring(link, state, role)
    end = link.esme if role is Role.ESME else link.smsc
    target = TRANSITIONS.get((state, role, command, Outcome.ASKED))
    if target is None:
        with pytest.raises(
            LocalProtocolError, match=f"{command.name} may not be sent by {role.name} while {state.name}"
        ):
            end.send(BODIES[command], now=0.0)
        assert end.data_to_send() == b""
        assert end.state is state
    else:
        number = end.send(BODIES[command], now=0.0)
        assert end.data_to_send() == encode(Pdu(0, number, BODIES[command]))
        assert end.state is target


@pytest.mark.parametrize(("state", "role", "command"), list(product(STATES, Role, REQUESTS)))
def test_a_session_takes_what_the_tables_allow_and_refuses_the_rest(
    make_link: Callable[..., Any], state: State, role: Role, command: CommandId
):
    link = make_link()
    bring(link, state, role.peer)
    end = link.smsc if role is Role.ESME else link.esme
    step = (state, role, command, Outcome.ASKED)
    target = TRANSITIONS.get(step, TOLERATED.get(step))
    events = end.receive_data(encode(Pdu(0, 50, BODIES[command])), now=0.0)
    data = end.data_to_send()
    if state is State.CLOSED:
        assert (events, data) == ([], b"")
    elif target is None:
        [refused] = events
        assert isinstance(refused, RequestRefused)
        assert decode(data).sequence_number == 50
        assert decode(data).command_status in {CommandStatus.ESME_RINVBNDSTS, CommandStatus.ESME_RALYBND}
        assert end.state is state
    elif command is CommandId.ENQUIRE_LINK:
        assert events == []
        assert decode(data).command_id is CommandId.ENQUIRE_LINK_RESP
    elif command is not CommandId.UNBIND:
        assert events == [RequestReceived(Pdu(0, 50, BODIES[command]))]
        assert data == b""
        assert end.state is target
    else:
        assert end.state in {State.UNBINDING, State.CLOSED}


@pytest.mark.parametrize(
    ("state", "role", "command"), list(product(STATES, Role, [command for command in CommandId if command.is_response]))
)
def test_a_response_to_nothing_breaks_no_session_in_any_state(
    make_link: Callable[..., Any], state: State, role: Role, command: CommandId
):
    link = make_link()
    bring(link, state, role.peer)
    end = link.smsc if role is Role.ESME else link.esme
    events = end.receive_data(encode(Pdu(0, 5000, BODIES[command])), now=0.0)
    assert events == ([] if state is State.CLOSED else [StrayResponse(command, 0, 5000)])
    assert end.data_to_send() == b""
    assert end.state is state


@pytest.mark.parametrize(("state", "role", "command"), list(product(STATES, Role, REQUESTS)))
@pytest.mark.parametrize("refusing", [False, True])
def test_every_request_taken_can_be_answered_by_its_response_and_by_a_nack(
    make_link: Callable[..., Any], state: State, role: Role, command: CommandId, refusing: bool
):
    link = make_link()
    bring(link, state, role.peer)
    end = link.smsc if role is Role.ESME else link.esme
    for event in end.receive_data(encode(Pdu(0, 50, BODIES[command])), now=0.0):
        if not isinstance(event, RequestReceived) or command in UNANSWERED_COMMANDS:
            continue
        body = GenericNack() if refusing else BODIES[CommandId(command | 0x8000_0000)]
        status = CommandStatus.ESME_RSYSERR if refusing else CommandStatus.ESME_ROK
        end.respond(event.pdu, body, now=0.0, command_status=status)
        answer = decode(end.data_to_send())
        assert (answer.sequence_number, answer.body, answer.command_status) == (50, body, status)
        assert not isinstance(event, SessionBroken)
