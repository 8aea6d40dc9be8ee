"""A session: one end of one connection, either role. Bytes and time in; events and bytes out; no I/O of its own.

The owner calls a method, writes `data_to_send`, and calls `handle_timer` at `next_deadline`. Bind, submit, deliver and
the like go to the owner as events; enquire_link and unbind the session answers itself.
"""

from typing import Final

from .codec import DECODERS, ENCODERS, Pdu, decode_body
from .constants import RESPONSE_BIT, CommandId
from .errors import (
    ConnectionLost,
    DecodeError,
    LocalProtocolError,
    PeerSilent,
    RemoteError,
    RemoteProtocolError,
    SessionNotInitiated,
    WindowFull,
)
from .events import (
    Event,
    OwnTraffic,
    PeerUnbound,
    RequestReceived,
    RequestRefused,
    RequestUnanswered,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    StrayResponse,
    Unanswered,
)
from .pdus import BODY_TYPES, Body, EnquireLink, EnquireLinkResp, GenericNack, Unbind, UnbindResp
from .settings import SessionSettings
from .splitter import Splitter
from .states import BINDING, STEPS_WE_SEND, STEPS_WE_TAKE, UNANSWERED_COMMANDS, Role, State
from .statuses import CommandStatus, name_status
from .window import WITHOUT_SLOT, Request, Window
from .wire import HEADER

_NEVER: Final = float("inf")
_read_header: Final = HEADER.unpack_from

# Looking a member up in its enum costs as much as a dict insert; these are looked up for every PDU.
_CLOSED: Final = State.CLOSED
_ROK: Final = CommandStatus.ESME_ROK
_ENQUIRE_LINK: Final = int(CommandId.ENQUIRE_LINK)
_UNBIND: Final = int(CommandId.UNBIND)
_GENERIC_NACK: Final = int(CommandId.GENERIC_NACK)

_OWN: Final = object()  # the context of requests that the session sends for itself

# By the command_id of the request. A generic_nack is nobody's own response: command_id 0 is no request.
_RESPONSE_TYPES: Final[dict[int, type[Body]]] = {
    body_type.command_id ^ RESPONSE_BIT: body_type
    for body_type in BODY_TYPES
    if body_type.command_id & RESPONSE_BIT and body_type is not GenericNack
}
_BIND_COMMANDS: Final = frozenset({CommandId.BIND_TRANSMITTER, CommandId.BIND_RECEIVER, CommandId.BIND_TRANSCEIVER})
# What the session answers itself, however much its owner has to answer.
_ANSWERED_HERE: Final = frozenset({CommandId.ENQUIRE_LINK, CommandId.UNBIND})
# Whose silence ends the session.
_VITAL_COMMANDS: Final = _BIND_COMMANDS | {CommandId.UNBIND, CommandId.ENQUIRE_LINK}


class Session:
    """One end of an SMPP session. `now` is seconds on any clock that only goes forward."""

    def __init__(self, role: Role, settings: SessionSettings, *, now: float) -> None:
        self.role: Final = role
        self.settings: Final = settings
        self._window = Window(settings.window, hold_slots=settings.hold_slots, max_late=settings.max_late_requests)
        self._splitter = Splitter(settings.max_pdu_bytes)
        self._to_send: list[bytes] = []
        self._unreported: list[Event] = []  # own traffic outside of what returns events
        self._owed = 0  # requests of the peer that the owner has not answered
        self._unbind_number: int | None = None  # of the peer's unbind, until we have answered it
        self._closing_at = _NEVER  # when to end after the peer's unbind
        self._enquiry: int | None = None  # the number of our last enquire_link
        self._received_at = now
        self._active_at = now  # when the last message passed, either way
        self._init_deadline = now + settings.session_init_timeout_seconds
        self._deadline = _NEVER  # never later than the next thing to do
        self._enter(State.OPEN)

    # --- what the owner asks -------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether the last event has been reported. Nothing can be sent any more, and nothing is taken."""
        return self._state is State.CLOSED

    @property
    def window_free(self) -> int:
        """How many requests may be sent now."""
        return self._window.size - self._window.in_use

    @property
    def window_in_use(self) -> int:
        """How many slots are taken: unanswered, or answered and not released."""
        return self._window.in_use

    @property
    def next_deadline(self) -> float | None:
        """When to call `handle_timer`: never too late, at times too early (it then does nothing). None: not at all.

        Too early where the request that it was for has been answered since: looking for the next one at each answer
        would cost more than calling once too often in a response timeout.
        """
        return None if self._deadline == _NEVER else self._deadline

    def data_to_send(self) -> bytes:
        """What has been written since the last call, in one piece."""
        if not self._to_send:
            return b""
        data = b"".join(self._to_send)
        self._to_send.clear()
        return data

    # --- what the owner does -------------------------------------------------------------------------------------

    def send(self, body: Body, *, now: float, context: object = None) -> int:
        """Send a request and return its sequence number; `context` comes back with what becomes of it.

        Raises LocalProtocolError, WindowFull or EncodeError; then nothing was sent. The window never refuses an
        enquire_link or an unbind.
        """
        command_id = body.command_id
        target = self._ours.asked.get(command_id)
        if target is None:
            raise LocalProtocolError(f"{command_id.name} may not be sent by {self._where()}")
        window = self._window
        if window.in_use >= window.size and type(body) not in WITHOUT_SLOT:
            raise WindowFull(f"{window.in_use} of {window.size} requests are unanswered or unreleased")
        number = window.next_number()
        self._to_send.append(ENCODERS[type(body)](body, 0, number))
        if command_id not in UNANSWERED_COMMANDS:
            deadline = now + self.settings.response_timeout_seconds
            window.add(number, Request(body, context, deadline))
            if deadline < self._deadline:
                self._deadline = deadline
        if command_id != _ENQUIRE_LINK:
            self._active_at = now
        else:
            self._report_own(self._unreported, CommandId.ENQUIRE_LINK, number, incoming=False)
        if target is not self._state:
            self._enter(target)
            if command_id == _UNBIND:
                self._report_own(self._unreported, CommandId.UNBIND, number, incoming=False)
        return number

    def respond(self, request: Pdu, body: Body, *, now: float, command_status: int = 0) -> None:
        """Answer a request that came as a RequestReceived: its own response, or a GenericNack.

        A refusal leaves without its body where the specification wants that. Raises LocalProtocolError where `body`
        does not answer `request`, or the session is over; EncodeError. Then nothing was sent.
        """
        expected = request.body.command_id | RESPONSE_BIT
        nack = type(body) is GenericNack
        if body.command_id != expected and not nack:
            raise LocalProtocolError(f"{body.command_id.name} does not answer {request.command_id.name}")
        steps = self._ours.refused if command_status or nack else self._ours.accepted
        target = steps.get(expected)
        if target is None:
            raise LocalProtocolError(f"{body.command_id.name} may not be sent by {self._where()}")
        self._to_send.append(ENCODERS[type(body)](body, command_status, request.sequence_number))
        self._owed -= 1
        if target is not self._state:
            self._enter(target)
        if self._unbind_number is not None and self._owed <= 0:
            self._answer_unbind(now, self._unreported)

    def release(self, sequence_number: int) -> None:
        """Free the slot that an answered request holds (with `hold_slots`). One that holds none is left alone."""
        self._window.release(sequence_number)

    def abandon(self, error: RemoteError) -> list[Event]:
        """End the session for a reason that only the owner knows, such as a peer that does not read."""
        events = self._take_unreported()
        if not self.is_over:
            self._break(error, events)
        return events

    # --- what the peer does --------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, *, now: float) -> list[Event]:
        """Take bytes from the peer and return what they mean, oldest first.

        Never raises. What the peer breaks comes last, as `SessionBroken`, so that the responses that came before it
        in the same bytes are not lost with it.
        """
        events = self._take_unreported() if self._unreported else []
        over = self._state is _CLOSED
        if over or not data:
            return events
        self._received_at = now
        for pdu in self._splitter.cut(data):
            _, command_id, command_status, number = _read_header(pdu)
            if command_id & RESPONSE_BIT:
                self._take_response(pdu, command_id, command_status, number, events)
            else:
                self._take_request(pdu, command_id, command_status, number, now, events)
            if self._state is _CLOSED:
                return events
        error = self._splitter.error
        if error is not None:
            if not error.command_id & RESPONSE_BIT:
                # "A generic_nack must be returned" for a bad command_length (section 4.3), though never to a response.
                self._nack(CommandStatus.ESME_RINVCMDLEN, error.sequence_number)
            self._break(error, events)
        return events

    def receive_eof(self, *, now: float) -> list[Event]:
        """The transport has ended. While an unbind is under way, that is its end too."""
        events = self._take_unreported()
        match self._state:
            case State.CLOSED:
                pass
            case State.UNBINDING:
                self._close(events)
            case _:
                silent_seconds = now - self._received_at
                self._break(
                    ConnectionLost(f"the connection ended, {silent_seconds:.1f} s after data last came"), events
                )
        return events

    def handle_timer(self, *, now: float) -> list[Event]:
        """Do what is due at `now`, and return what the owner must know of it."""
        events = self._take_unreported()
        if self.is_over or now < self._deadline:
            return events
        self._give_up_unanswered(now, events)
        if not self.is_over and now >= self._closing_at:
            if self._unbind_number is not None:
                self._answer_unbind(now, events)
            self._close(events)
        if self._state is State.OPEN or self._state in BINDING:
            if now >= self._init_deadline:
                self._break(SessionNotInitiated(f"not bound, in state {self._state.name}"), events)
        elif self._state.is_bound:
            self._keep_up(now)
            events += self._take_unreported()
        self._deadline = self._find_deadline()
        return events

    def _report_own(self, events: list[Event], command_id: int, number: int, *, incoming: bool) -> None:
        if self.settings.report_own_traffic:
            events.append(OwnTraffic(incoming, command_id, number))

    def _take_unreported(self) -> list[Event]:
        """What happened between two reports, oldest first."""
        events, self._unreported = self._unreported, []
        return events

    # --- requests of the peer ------------------------------------------------------------------------------------

    def _take_request(
        self, pdu: bytes, command_id: int, command_status: int, number: int, now: float, events: list[Event]
    ) -> None:
        target = self._theirs.asked.get(command_id)
        try:
            if target is None:
                raise self._misplaced(command_id)
            if self._owed >= self.settings.max_owed_responses and command_id not in _ANSWERED_HERE:
                raise self._overwhelmed()
            body = DECODERS[command_id](pdu)
        except (DecodeError, RemoteProtocolError) as error:
            self._refuse(command_id, number, error, events)
            return
        if command_id == _ENQUIRE_LINK:
            self._to_send.append(ENCODERS[EnquireLinkResp](EnquireLinkResp(), 0, number))
            self._report_own(events, CommandId.ENQUIRE_LINK, number, incoming=True)
            self._report_own(events, CommandId.ENQUIRE_LINK_RESP, number, incoming=False)
            return
        self._active_at = now
        if target is not self._state:
            self._enter(target)
        if command_id == _UNBIND:
            self._take_unbind(number, now, events)
            return
        if command_id not in UNANSWERED_COMMANDS:
            self._owed += 1
        events.append(RequestReceived(Pdu(command_status, number, body)))

    def _misplaced(self, command_id: int) -> RemoteProtocolError:
        """The error for a command that we do not know, or not here."""
        if command_id not in _RESPONSE_TYPES and command_id not in UNANSWERED_COMMANDS:
            return RemoteProtocolError(f"command_id {command_id:#010x} is not known", CommandStatus.ESME_RINVCMDID)
        already = command_id in _BIND_COMMANDS and (self._state.is_bound or self._state in BINDING)
        status = CommandStatus.ESME_RALYBND if already else CommandStatus.ESME_RINVBNDSTS
        name = CommandId(command_id).name
        return RemoteProtocolError(f"{self.role.peer.name} may not send {name} while {self._state.name}", status)

    def _overwhelmed(self) -> RemoteProtocolError:
        """The error for one request more than we may owe answers; each role has its own status for "again later"."""
        status = CommandStatus.ESME_RX_T_APPN if self.role is Role.ESME else CommandStatus.ESME_RMSGQFUL
        return RemoteProtocolError(f"{self._owed} requests wait for our answer already", status)

    def _refuse(
        self, command_id: int, number: int, error: DecodeError | RemoteProtocolError, events: list[Event]
    ) -> None:
        """Answer a request with its own response, or if it has none with a generic_nack, and read on."""
        response_type = _RESPONSE_TYPES.get(command_id)
        if response_type is None:
            self._nack(error.command_status, number)
        else:
            self._to_send.append(ENCODERS[response_type](response_type(), error.command_status, number))
        events.append(RequestRefused(command_id, number, error.command_status, error))

    def _nack(self, command_status: int, number: int) -> None:
        self._to_send.append(ENCODERS[GenericNack](GenericNack(), command_status, number))

    def _take_unbind(self, number: int, now: float, events: list[Event]) -> None:
        """Answer it when the owner has answered what came before it, though not after the timeout.

        Then end, but not before what we asked is answered too, as far as the peer still does: its transport tells.
        """
        events.append(PeerUnbound())
        self._unbind_number = number
        self._closing_at = now + self.settings.response_timeout_seconds
        self._deadline = min(self._deadline, self._closing_at)
        if self._owed <= 0:
            self._answer_unbind(now, events)
            if self._closing_at <= now:
                self._close(events)

    def _answer_unbind(self, now: float, events: list[Event]) -> None:
        assert self._unbind_number is not None
        self._to_send.append(ENCODERS[UnbindResp](UnbindResp(), 0, self._unbind_number))
        self._report_own(events, CommandId.UNBIND_RESP, self._unbind_number, incoming=False)
        self._unbind_number = None
        if not self._window.unanswered:
            self._closing_at = self._deadline = now

    # --- answers of the peer -------------------------------------------------------------------------------------

    def _take_response(
        self, pdu: bytes, command_id: int, command_status: int, number: int, events: list[Event]
    ) -> None:
        window = self._window
        request = window.unanswered.get(number)
        late = request is None
        if request is None:
            request = window.find_late(number)
        nack = command_id == _GENERIC_NACK
        expected = 0 if request is None else request.body.command_id | RESPONSE_BIT
        if request is None or (command_id != expected and not nack):
            events.append(StrayResponse(command_id, command_status, number))
            return
        try:
            body = decode_body(pdu, command_id, command_status)
        except DecodeError as error:
            self._take_malformed_response(number, late, error, events)
            return
        if late:
            window.forget_late(number)
        else:
            window.settle(number)
        if nack and not command_status:
            command_status = CommandStatus.ESME_RUNKNOWNERR
        if request.context is _OWN:
            self._deadline = self._find_deadline()  # the next keep-alive is to be timed
            self._report_own(events, command_id, number, incoming=True)
        else:
            status = name_status(command_status) if command_status else _ROK
            events.append(ResponseReceived(number, request.body, body, status, request.context, late))
        steps = self._theirs.refused if command_status else self._theirs.accepted
        target = steps.get(expected, self._state)
        if target is _CLOSED:
            self._close(events)
        elif target is not self._state:
            self._enter(target)
        elif self._closing_at != _NEVER and self._unbind_number is None and not window.unanswered:
            self._close(events)  # the last that the peer's unbind left unanswered

    def _take_malformed_response(self, number: int, late: bool, error: DecodeError, events: list[Event]) -> None:
        """Never answered: two peers that did would not stop. Its request is in doubt, and no answer will come."""
        if late:
            self._window.forget_late(number)
            return
        request = self._window.unanswered[number]
        if request.body.command_id in _VITAL_COMMANDS:
            self._break(error, events)
            return
        self._window.give_up(number, remember=False)
        events.append(RequestUnanswered(number, request.body, request.context))

    # --- time ----------------------------------------------------------------------------------------------------

    def _give_up_unanswered(self, now: float, events: list[Event]) -> None:
        for number in list(self._window.due(now)):
            request = self._window.unanswered[number]
            if request.body.command_id in _VITAL_COMMANDS:
                timeout = self.settings.response_timeout_seconds
                self._break(PeerSilent(f"{request.body.command_id.name} not answered in {timeout:g} s"), events)
                return
            self._window.give_up(number, remember=True)
            events.append(RequestUnanswered(number, request.body, request.context))

    def _keep_up(self, now: float) -> None:
        """Ask whether a silent peer is there; leave when nothing has passed for long. SMPP 3.4, section 7.2."""
        if now >= self._inactive_at():
            self.send(Unbind(), now=now, context=_OWN)
        elif now >= self._enquire_at():
            self._enquiry = self.send(EnquireLink(), now=now, context=_OWN)

    def _enquire_at(self) -> float:
        interval = self.settings.enquire_link_interval_seconds
        if interval is None or self._enquiry in self._window.unanswered:
            return _NEVER  # one that is not answered breaks the session at its own deadline
        return self._received_at + interval

    def _inactive_at(self) -> float:
        timeout = self.settings.inactivity_timeout_seconds
        return _NEVER if timeout is None else self._active_at + timeout

    def _find_deadline(self) -> float:
        if self.is_over:
            return _NEVER
        deadline = min(self._window.first_deadline, self._closing_at)
        if self._state.is_bound:
            return min(deadline, self._enquire_at(), self._inactive_at())
        if self._state is State.UNBINDING:
            return deadline
        return min(deadline, self._init_deadline)

    # --- the end -------------------------------------------------------------------------------------------------

    def _break(self, error: RemoteError, events: list[Event]) -> None:
        events.append(SessionBroken(error, self._end()))

    def _close(self, events: list[Event]) -> None:
        events.append(SessionClosed(self._end()))

    def _end(self) -> tuple[Unanswered, ...]:
        self._enter(State.CLOSED)
        return tuple(lost for lost in self._window.hand_back() if lost.context is not _OWN)

    def _enter(self, state: State) -> None:
        self._state = state
        self._ours = STEPS_WE_SEND[state, self.role]
        self._theirs = STEPS_WE_TAKE[state, self.role.peer]
        self._deadline = self._find_deadline()

    def _where(self) -> str:
        return f"{self.role.name} while {self._state.name}"
