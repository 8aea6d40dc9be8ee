"""The state table, walked in full: every state, role, command and outcome."""

from itertools import product

import pytest

from gateway.smpp import TOLERATED, TRANSITIONS, CommandId, Outcome, Role, State
from gateway.smpp.states import BINDING, BOUND, STEPS_WE_SEND, STEPS_WE_TAKE, UNANSWERED_COMMANDS, response_to

# Table 2-1 of SMPP 3.4 (section 2.3): command, then who may send it ("e" ESME, "s" SMSC) in which state.
TABLE_2_1 = """
bind_transmitter       open:e
bind_transmitter_resp  open:s
bind_receiver          open:e
bind_receiver_resp     open:s
bind_transceiver       open:e
bind_transceiver_resp  open:s
outbind                open:s
unbind                 bound_tx:es bound_rx:es bound_trx:es
unbind_resp            bound_tx:es bound_rx:es bound_trx:es
submit_sm              bound_tx:e bound_trx:e
submit_sm_resp         bound_tx:s bound_trx:s
submit_multi           bound_tx:e bound_trx:e
submit_multi_resp      bound_tx:s bound_trx:s
data_sm                bound_tx:es bound_rx:es bound_trx:es
data_sm_resp           bound_tx:es bound_rx:es bound_trx:es
deliver_sm             bound_rx:s bound_trx:s
deliver_sm_resp        bound_rx:e bound_trx:e
query_sm               bound_tx:e bound_trx:e
query_sm_resp          bound_tx:s bound_trx:s
cancel_sm              bound_tx:e bound_trx:e
cancel_sm_resp         bound_tx:s bound_trx:s
replace_sm             bound_tx:e
replace_sm_resp        bound_tx:s
enquire_link           bound_tx:es bound_rx:es bound_trx:es
enquire_link_resp      bound_tx:es bound_rx:es bound_trx:es
alert_notification     bound_rx:s bound_trx:s
generic_nack           bound_tx:es bound_rx:es bound_trx:es
"""

# What the operation matrix of SMPP 5.0 (section 2.4) allows besides, broadcasts aside.
ALSO_IN_5_0 = """
replace_sm             bound_trx:e
replace_sm_resp        bound_trx:s
enquire_link           open:es
enquire_link_resp      open:es
generic_nack           open:es
"""

BETWEEN = {*BINDING, State.UNBINDING}


def rows_of(table: str) -> set[tuple[State, Role, CommandId]]:
    rows = set()
    for line in table.strip().splitlines():
        name, *cells = line.split()
        for cell in cells:
            state, _, senders = cell.partition(":")
            for sender in senders:
                role = Role.ESME if sender == "e" else Role.SMSC
                rows.add((State(state), role, CommandId[name.upper()]))
    return rows


SPECIFIED = rows_of(TABLE_2_1)
REQUESTS = [command for command in CommandId if not command.is_response]


def outcomes(command: CommandId) -> list[Outcome]:
    return [Outcome.ACCEPTED, Outcome.REFUSED] if command.is_response else [Outcome.ASKED]


def test_every_command_has_a_row_of_table_2_1():
    assert {command for _, _, command in SPECIFIED} == set(CommandId)


@pytest.mark.parametrize(("state", "role", "command"), list(product([State.OPEN, *BOUND], Role, REQUESTS)))
def test_a_request_may_be_sent_exactly_where_table_2_1_says(state: State, role: Role, command: CommandId):
    assert ((state, role, command, Outcome.ASKED) in TRANSITIONS) == ((state, role, command) in SPECIFIED)


@pytest.mark.parametrize(("state", "role", "command"), list(product(BOUND, Role, CommandId)))
def test_a_response_may_be_sent_where_table_2_1_says_or_to_what_was_tolerated(
    state: State, role: Role, command: CommandId
):
    if not command.is_response or command in {CommandId.GENERIC_NACK, CommandId.UNBIND_RESP}:
        return
    allowed = all((state, role, command, outcome) in TRANSITIONS for outcome in outcomes(command))
    extra = (State.BOUND_TRX, Role.SMSC, CommandId.REPLACE_SM_RESP)
    assert allowed == ((state, role, command) in SPECIFIED or (state, role, command) == extra)


def test_nothing_leads_out_of_closed_and_nothing_is_sent_in_it():
    assert not [step for step in (*TRANSITIONS, *TOLERATED) if step[0] is State.CLOSED]


@pytest.mark.parametrize(
    ("step", "target"),
    [
        ((State.OPEN, Role.ESME, CommandId.BIND_TRANSMITTER, Outcome.ASKED), State.BINDING_TX),
        ((State.OPEN, Role.ESME, CommandId.BIND_RECEIVER, Outcome.ASKED), State.BINDING_RX),
        ((State.OPEN, Role.ESME, CommandId.BIND_TRANSCEIVER, Outcome.ASKED), State.BINDING_TRX),
        ((State.BINDING_TX, Role.SMSC, CommandId.BIND_TRANSMITTER_RESP, Outcome.ACCEPTED), State.BOUND_TX),
        ((State.BINDING_RX, Role.SMSC, CommandId.BIND_RECEIVER_RESP, Outcome.ACCEPTED), State.BOUND_RX),
        ((State.BINDING_TRX, Role.SMSC, CommandId.BIND_TRANSCEIVER_RESP, Outcome.ACCEPTED), State.BOUND_TRX),
        ((State.BINDING_TX, Role.SMSC, CommandId.BIND_TRANSMITTER_RESP, Outcome.REFUSED), State.OPEN),
        ((State.BINDING_RX, Role.SMSC, CommandId.BIND_RECEIVER_RESP, Outcome.REFUSED), State.OPEN),
        ((State.BINDING_TRX, Role.SMSC, CommandId.BIND_TRANSCEIVER_RESP, Outcome.REFUSED), State.OPEN),
        *(
            ((state, role, CommandId.UNBIND, Outcome.ASKED), State.UNBINDING)
            for state, role in product([State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX], Role)
        ),
        *(
            ((State.UNBINDING, role, CommandId.UNBIND_RESP, outcome), State.CLOSED)
            for role, outcome in product(Role, [Outcome.ACCEPTED, Outcome.REFUSED])
        ),
    ],
)
def test_these_steps_and_no_others_change_the_state(step: tuple[State, Role, CommandId, Outcome], target: State):
    assert TRANSITIONS[step] is target
    movers = {moving for moving, to in TRANSITIONS.items() if moving[0] is not to}
    assert len(movers) == 3 + 6 + 6 + 4
    assert step in movers


def test_a_bind_is_answered_only_in_the_state_that_it_led_to():
    for state, role, command, _ in TRANSITIONS:
        if command.name.startswith("BIND_"):
            assert role is (Role.SMSC if command.is_response else Role.ESME)
            assert state is State.OPEN or command.is_response


def test_what_is_tolerated_is_never_sent():
    assert not set(TRANSITIONS) & set(TOLERATED)


def test_every_tolerated_request_can_be_answered():
    for (_, sender, command, outcome), target in TOLERATED.items():
        if outcome is Outcome.ASKED and command not in UNANSWERED_COMMANDS:
            for answer in (Outcome.ACCEPTED, Outcome.REFUSED):
                assert (target, sender.peer, response_to(command), answer) in TRANSITIONS


def test_every_request_can_be_answered_where_it_leads():
    for (_, sender, command, outcome), target in TRANSITIONS.items():
        if outcome is Outcome.ASKED and command not in UNANSWERED_COMMANDS:
            for answer in (Outcome.ACCEPTED, Outcome.REFUSED):
                assert (target, sender.peer, response_to(command), answer) in TRANSITIONS


@pytest.mark.parametrize(("state", "role", "command"), list(product(State, Role, CommandId)))
def test_the_compiled_steps_say_what_the_table_says(state: State, role: Role, command: CommandId):
    for outcome in Outcome:
        step = (state, role, command, outcome)
        sent = getattr(STEPS_WE_SEND[state, role], outcome.value).get(command)
        taken = getattr(STEPS_WE_TAKE[state, role], outcome.value).get(command)
        assert sent is TRANSITIONS.get(step)
        assert taken is TRANSITIONS.get(step, TOLERATED.get(step))
        if outcome not in outcomes(command):
            assert sent is taken is None


@pytest.mark.parametrize(("state", "role", "command"), sorted(rows_of(ALSO_IN_5_0), key=repr))
def test_what_a_5_0_peer_may_send_besides_is_taken(state: State, role: Role, command: CommandId):
    for outcome in outcomes(command):
        step = (state, role, command, outcome)
        assert step in TRANSITIONS or step in TOLERATED


def test_both_roles_see_the_same_states_in_between():
    assert {step[0] for step in TRANSITIONS} >= {State.OPEN, *BOUND, *BETWEEN}
