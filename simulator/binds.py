"""One connection to the simulator: what it may do, and how its PDUs get into the journal."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from gateway.smpp import Body, CommandId, CommandStatus, LocalProtocolError, Pdu, SubmitSmResp
from simulator.journal import Entry, Journal, Origin, kind_of
from simulator.settings import Mode

if TYPE_CHECKING:
    from simulator.messages import Delivery


_DELIVERY: Final = kind_of(False, CommandId.DELIVER_SM, CommandStatus.ESME_ROK)
_ACCEPTED: Final = kind_of(False, CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_ROK)


class Link(Protocol):
    """What the simulator asks of a connection; `FaultyConnection` is one."""

    @property
    def window_free(self) -> int:
        """How many requests may be sent now."""

    def send(self, body: Body, context: object = None) -> int:
        """Send a request and return its sequence number."""

    def respond(self, request: Pdu, body: Body, *, command_status: int = 0) -> None:
        """Answer a request."""

    def lose(self, request: Pdu, response: Body) -> None:
        """Answer a request, and let the answer be lost on the way."""

    def inject(self, data: bytes) -> None:
        """Write octets that are no PDU of the session."""

    def inject_and_reset(self, data: bytes) -> None:
        """Write octets that are no whole PDU, and then reset the connection."""

    def reset(self) -> None:
        """Reset the connection as a crashed peer does."""

    def end_session(self) -> None:
        """Ask the peer to end the session."""

    def freeze_after(self, data: bytes) -> None:
        """Write octets, and then neither read nor write any more."""

    def pause_reading(self) -> None:
        """Leave what the peer writes in the socket."""

    def resume_reading(self) -> None:
        """Read again."""


class Bind:
    """A connection, from its first octet to its last; `system_id` and `mode` are those it has bound with."""

    __slots__ = (
        "began_at",
        "can_receive",
        "is_over",
        "is_paused",
        "link",
        "mode",
        "origin",
        "record",
        "submits",
        "system_id",
        "unanswered",
    )

    def __init__(self, link: Link, name: str, journal: Journal, at: float) -> None:
        self.link: Final = link
        self.origin = Origin(name, "")
        self.record: Final = journal.record
        self.system_id = ""
        self.mode: Mode | None = None
        self.can_receive = False
        self.is_over = False  # nothing more is read from it or written to it
        self.unanswered = 0  # submits that wait for their answer
        self.submits = 0  # that it has brought
        self.began_at: Final = at  # Unix time
        self.is_paused = False

    def open(self, name: str, system_id: str, mode: Mode) -> None:
        """Take the name and the rights of a bind that was accepted."""
        self.origin = Origin(name, system_id)
        self.system_id = system_id
        self.mode = mode
        self.can_receive = mode is not Mode.TRANSMITTER

    def note(self, at: float, *, incoming: bool, pdu: Pdu, phone: str = "") -> None:
        """Put a PDU into the journal."""
        kind = kind_of(incoming, pdu.body.command_id, pdu.command_status)
        self.record(Entry(at, kind, self.origin, pdu.sequence_number, phone, pdu.body))

    def note_header(
        self, at: float, *, incoming: bool, command_id: int, command_status: int = 0, sequence_number: int = 0
    ) -> None:
        """Put a PDU of which only the header is known into the journal."""
        kind = kind_of(incoming, command_id, command_status)
        self.record(Entry(at, kind, self.origin, sequence_number, "", None))

    def deliver(self, delivery: "Delivery", body: Body, at: float) -> bool:
        """Send the deliver_sm of `delivery`, which comes back with its answer. False: the session takes no more."""
        try:
            number = self.link.send(body, delivery)
        except LocalProtocolError:
            self.can_receive = False
            return False
        self.record(Entry(at, _DELIVERY, self.origin, number, delivery.phone, body, delivery.taken_as, delivery.stat))
        return True

    def answer(self, request: Pdu, response: Body, at: float, *, command_status: int = 0, phone: str = "") -> bool:
        """Answer a request; a refusal takes the body that its answer would have had.

        False: the session has ended, at times by what came together with the request and after it.
        """
        try:
            self.link.respond(request, response, command_status=command_status)
        except LocalProtocolError:
            return False
        if not command_status and type(response) is SubmitSmResp:  # nearly all of them
            self.record(Entry(at, _ACCEPTED, self.origin, request.sequence_number, phone, response))
            return True
        kind = kind_of(False, response.command_id, command_status)
        body = None if command_status and response.bare_when_refused else response
        self.record(Entry(at, kind, self.origin, request.sequence_number, phone, body))
        return True

    def lose(self, request: Pdu, response: Body) -> None:
        """Let the answer to a request be lost on the way."""
        with suppress(LocalProtocolError):  # as in `answer`; then it is lost anyway
            self.link.lose(request, response)

    def end(self) -> None:
        """Take no more part in anything."""
        self.is_over = True
        self.can_receive = False

    def pause(self) -> None:
        """Stop reading."""
        if not self.is_paused:
            self.is_paused = True
            self.link.pause_reading()

    def resume(self) -> None:
        """Read again, if it was paused."""
        if self.is_paused:
            self.is_paused = False
            self.link.resume_reading()
