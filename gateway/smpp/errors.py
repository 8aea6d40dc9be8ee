"""The errors of the protocol, classed by what to do about them.

SmppError
|-- LocalError                 ours: the caller asked for what cannot be sent; nothing was sent
|   |-- EncodeError            a field does not fit the wire
|   |-- LocalProtocolError     the state table forbids it
|   `-- WindowFull             no slot free: wait for a response
`-- RemoteError                theirs
    |-- DecodeError            this PDU is damaged: refuse it and read on
    |-- RemoteProtocolError    this PDU may not come now: refuse it and read on
    `-- SessionError           nothing after it can be trusted: close
        |-- FramingError       the stream cannot be cut into PDUs any more
        |-- PeerSilent         no answer to bind, unbind or enquire_link
        |-- SessionNotInitiated  connected, and never bound
        |-- ConnectionLost     the transport ended without an unbind
        `-- PeerTooSlow        the peer does not read what we write
"""


class SmppError(Exception):
    """Anything that this package raises or reports."""


class LocalError(SmppError):
    """The caller asked for what cannot be sent; nothing was sent."""


class EncodeError(LocalError):
    """A field of a body does not fit the wire."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class LocalProtocolError(LocalError):
    """The state table forbids what the caller wants to send."""


class WindowFull(LocalError):  # noqa: N818 - it is a state of affairs, not a fault
    """As many requests are unanswered as the window allows."""


class RemoteError(SmppError):
    """The peer, or the way to it, broke something."""


class DecodeError(RemoteError):
    """A PDU is damaged. `command_status` is what to refuse it with."""

    def __init__(self, field: str, rule: str, command_status: int) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule
        self.command_status = command_status


class RemoteProtocolError(RemoteError):
    """The peer sent what it may not send now. `command_status` is what to refuse it with."""

    def __init__(self, message: str, command_status: int) -> None:
        super().__init__(message)
        self.command_status = command_status


class SessionError(RemoteError):
    """The session is over: nothing that comes after this can be trusted."""


class FramingError(SessionError):
    """A command_length that no PDU can have: the stream cannot be cut any more. With the rest of that header."""

    def __init__(self, message: str, command_id: int, sequence_number: int) -> None:
        super().__init__(message)
        self.command_id = command_id
        self.sequence_number = sequence_number


class PeerSilent(SessionError):  # noqa: N818
    """A bind, unbind or enquire_link was not answered in time."""


class SessionNotInitiated(SessionError):  # noqa: N818
    """The peer connected and did not bind in time."""


class ConnectionLost(SessionError):  # noqa: N818
    """The transport ended without an unbind."""


class PeerTooSlow(SessionError):  # noqa: N818
    """The peer does not read what is written to it."""
