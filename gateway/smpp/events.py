"""What a session reports to its owner: what the peer sent, and what became of what we sent."""

import msgspec

from .codec import Pdu
from .errors import RemoteError
from .pdus import Body


class Unanswered(msgspec.Struct, frozen=True):
    """A request of ours without an answer when the session ended. It is in doubt: it may have been carried out."""

    sequence_number: int
    request: Body
    context: object


class RequestReceived(msgspec.Struct, frozen=True, gc=False):
    """The peer asks; answer with `Session.respond` (not an outbind or an alert_notification, which have no answer)."""

    pdu: Pdu


class ResponseReceived(msgspec.Struct, frozen=True):
    """The answer to a request of ours.

    `response` is a GenericNack where the peer answered with that; `command_status` is then never 0. With `late` the
    request was reported as unanswered before, and holds no slot.
    """

    sequence_number: int
    request: Body
    response: Body
    command_status: int
    context: object
    late: bool = False


class RequestUnanswered(msgspec.Struct, frozen=True):
    """A request of ours is in doubt: its time is up, or its answer could not be read. Its slot is free.

    After a timeout the answer may still come, as a `ResponseReceived` that is late.
    """

    sequence_number: int
    request: Body
    context: object


class RequestRefused(msgspec.Struct, frozen=True):
    """The session refused a request of the peer by itself, for `error`: damaged, unknown, or not allowed now."""

    command_id: int
    sequence_number: int
    command_status: int
    error: RemoteError


class StrayResponse(msgspec.Struct, frozen=True):
    """A response that answers nothing we know of; nothing follows from it."""

    command_id: int
    command_status: int
    sequence_number: int


class OwnTraffic(msgspec.Struct, frozen=True):
    """A PDU of the session's own upkeep, sent or taken: a keep-alive or its answer, an unbind sent, the answer to one.

    Reported only where `SessionSettings.report_own_traffic` asks for it: for a journal, say.
    """

    incoming: bool
    command_id: int
    sequence_number: int


class PeerUnbound(msgspec.Struct, frozen=True):
    """The peer ends the session. Answer what is unanswered; the session then closes by itself."""


class SessionBroken(msgspec.Struct, frozen=True):
    """The session is over, not in order: the last event. Close the transport once `data_to_send` is written."""

    error: RemoteError
    unanswered: tuple[Unanswered, ...] = ()


class SessionClosed(msgspec.Struct, frozen=True):
    """The session is over, after an unbind: the last event. Close the transport once `data_to_send` is written."""

    unanswered: tuple[Unanswered, ...] = ()


Event = (
    RequestReceived
    | ResponseReceived
    | RequestUnanswered
    | RequestRefused
    | StrayResponse
    | OwnTraffic
    | PeerUnbound
    | SessionBroken
    | SessionClosed
)
