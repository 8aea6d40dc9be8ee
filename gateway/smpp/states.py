"""Who may send what in which state, and where it leads: one table, for both roles.

Which commands belong to which state and sender is Table 2-1 of SMPP 3.4 (section 2.3). The states between, and where
each step leads, are ours: BINDING_* while a bind is unanswered, UNBINDING while an unbind is, CLOSED at the end.

Strict in what is sent, lenient in what is taken: `TRANSITIONS` is all that we send, `TOLERATED` is what we take
besides. What is in neither is an error of its sender.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from .constants import RESPONSE_BIT, CommandId


class Role(Enum):
    """Which end of the session. The ESME connects and binds; the SMSC listens."""

    ESME = "esme"
    SMSC = "smsc"

    @property
    def peer(self) -> "Role":
        """The other end."""
        return Role.SMSC if self is Role.ESME else Role.ESME


class State(Enum):
    """Where the session is; both ends see the same."""

    OPEN = "open"
    BINDING_TX = "binding_tx"
    BINDING_RX = "binding_rx"
    BINDING_TRX = "binding_trx"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    CLOSED = "closed"

    @property
    def is_bound(self) -> bool:
        """Whether messages may be sent one way or the other."""
        return self in BOUND


class Outcome(Enum):
    """What a PDU says: a request asks, a response accepts (command_status 0) or refuses."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"


Step = tuple[State, Role, CommandId, Outcome]

BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
BINDING: Final = frozenset({State.BINDING_TX, State.BINDING_RX, State.BINDING_TRX})
_TRANSMITTING: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})

# The requests of a bound session: who may send which, and where (Table 2-1).
_ESME: Final = (Role.ESME,)
_SMSC: Final = (Role.SMSC,)
_EITHER: Final = (Role.ESME, Role.SMSC)
_BOUND_REQUESTS: Final[tuple[tuple[CommandId, tuple[Role, ...], frozenset[State]], ...]] = (
    (CommandId.SUBMIT_SM, _ESME, _TRANSMITTING),
    (CommandId.SUBMIT_MULTI, _ESME, _TRANSMITTING),
    (CommandId.QUERY_SM, _ESME, _TRANSMITTING),
    (CommandId.CANCEL_SM, _ESME, _TRANSMITTING),
    (CommandId.REPLACE_SM, _ESME, frozenset({State.BOUND_TX})),
    (CommandId.DELIVER_SM, _SMSC, _RECEIVING),
    (CommandId.ALERT_NOTIFICATION, _SMSC, _RECEIVING),
    (CommandId.DATA_SM, _EITHER, BOUND),
    (CommandId.ENQUIRE_LINK, _EITHER, BOUND),
)

_BINDS: Final = (
    (CommandId.BIND_TRANSMITTER, State.BINDING_TX, State.BOUND_TX),
    (CommandId.BIND_RECEIVER, State.BINDING_RX, State.BOUND_RX),
    (CommandId.BIND_TRANSCEIVER, State.BINDING_TRX, State.BOUND_TRX),
)

UNANSWERED_COMMANDS: Final = frozenset({CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION})


def response_to(command_id: CommandId) -> CommandId:
    """The command that answers `command_id`; it must not be one of `UNANSWERED_COMMANDS`."""
    return CommandId(command_id | RESPONSE_BIT)


def _answers(states: Iterable[State], answering: Role, request: CommandId) -> dict[Step, State]:
    """The answer to `request`, either way, in each of `states`, leaving the state as it is."""
    if request in UNANSWERED_COMMANDS:
        return {}
    return {
        (state, answering, response_to(request), outcome): state
        for state in states
        for outcome in (Outcome.ACCEPTED, Outcome.REFUSED)
    }


def _transitions() -> dict[Step, State]:
    table: dict[Step, State] = {}

    for bind, binding, bound in _BINDS:
        table[State.OPEN, Role.ESME, bind, Outcome.ASKED] = binding
        table[binding, Role.SMSC, response_to(bind), Outcome.ACCEPTED] = bound
        table[binding, Role.SMSC, response_to(bind), Outcome.REFUSED] = State.OPEN
    table[State.OPEN, Role.SMSC, CommandId.OUTBIND, Outcome.ASKED] = State.OPEN

    for request, senders, states in _BOUND_REQUESTS:
        for sender in senders:
            table |= {(state, sender, request, Outcome.ASKED): state for state in states}
            # Requests that were on their way when the unbind came are still answered.
            table |= _answers({*states, State.UNBINDING}, sender.peer, request)

    for role in Role:
        for state in BOUND:
            table[state, role, CommandId.UNBIND, Outcome.ASKED] = State.UNBINDING
        # Refused or not, who asked to leave leaves.
        for outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
            table[State.UNBINDING, role, CommandId.UNBIND_RESP, outcome] = State.CLOSED
        # Table 2-1 has generic_nack in bound sessions only; what is damaged before must be refused too (section 4.3).
        for state in State:
            if state is not State.CLOSED:
                table[state, role, CommandId.GENERIC_NACK, Outcome.REFUSED] = state
        # The answers to what `TOLERATED` takes.
        table |= _answers({State.OPEN, *BINDING}, role, CommandId.ENQUIRE_LINK)
    table |= _answers({State.BOUND_TRX}, Role.SMSC, CommandId.REPLACE_SM)
    return table


def _tolerated() -> dict[Step, State]:
    table: dict[Step, State] = {}
    # Table 2-1 leaves BOUND_TRX out for replace_sm; the matrix of 5.0 (section 2.4) has it.
    table[State.BOUND_TRX, Role.ESME, CommandId.REPLACE_SM, Outcome.ASKED] = State.BOUND_TRX
    for role in Role:
        # Some peers keep alive before they are bound, as 5.0 allows, or take their leave.
        for state in (State.OPEN, *BINDING):
            table[state, role, CommandId.ENQUIRE_LINK, Outcome.ASKED] = state
            table[state, role, CommandId.UNBIND, Outcome.ASKED] = State.UNBINDING
        # Both may ask to leave at once.
        table[State.UNBINDING, role, CommandId.UNBIND, Outcome.ASKED] = State.UNBINDING
        # A generic_nack is of no use with status 0, yet it is a refusal.
        for state in State:
            if state is not State.CLOSED:
                table[state, role, CommandId.GENERIC_NACK, Outcome.ACCEPTED] = state
    for request, senders, _ in _BOUND_REQUESTS:
        # Requests that crossed our unbind on the way.
        for sender in senders:
            table[State.UNBINDING, sender, request, Outcome.ASKED] = State.UNBINDING
    return table


# Who may send what, and where it leads. A step that is not here is never sent.
TRANSITIONS: Final[Mapping[Step, State]] = _transitions()

# What is taken from a peer besides, and where it leads.
TOLERATED: Final[Mapping[Step, State]] = _tolerated()


class Steps(NamedTuple):
    """The steps of one sender in one state: for each outcome, command_id to the state it leads to."""

    asked: Mapping[int, State]
    accepted: Mapping[int, State]
    refused: Mapping[int, State]


def _steps(table: Mapping[Step, State]) -> dict[tuple[State, Role], Steps]:
    return {
        (state, role): Steps(
            *(
                {
                    int(command_id): target
                    for (from_state, sender, command_id, step_outcome), target in table.items()
                    if (from_state, sender, step_outcome) == (state, role, outcome)
                }
                for outcome in Outcome
            )
        )
        for state in State
        for role in Role
    }


# The two tables, cut by state and sender: a session looks up one command_id a PDU.
STEPS_WE_SEND: Final = _steps(TRANSITIONS)
STEPS_WE_TAKE: Final = _steps({**TRANSITIONS, **TOLERATED})
