"""The limits and timers of a session."""

from typing import Final

import msgspec

SMALLEST_PDU_LIMIT: Final = 1024


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and timers of a session. SMPP 3.4, sections 2.9 and 7.2. Raises ValueError on what cannot work.

    window: how many of our requests may be unanswered (ten is what 2.5.2 recommends).
    response_timeout_seconds: how long an answer may take; then the request is in doubt.
    enquire_link_interval_seconds: how long the peer may be silent before it is asked whether it is there; None: never.
    inactivity_timeout_seconds: how long a bound session may pass no messages before we unbind; None: for ever.
    session_init_timeout_seconds: how long a connection may stay without being bound.
    max_pdu_bytes: a longer PDU breaks the session.
    hold_slots: a slot stays taken after the response, until `release`.
    max_owed_responses: how many requests of the peer may wait for our answer; more are refused as for a full queue.
    report_own_traffic: also report, as OwnTraffic, the PDUs of the session's own upkeep.
    max_late_requests: how many timed-out requests are remembered for an answer that comes late.
    """

    window: int = 10
    response_timeout_seconds: float = 10.0
    enquire_link_interval_seconds: float | None = 30.0
    inactivity_timeout_seconds: float | None = None
    session_init_timeout_seconds: float = 30.0
    max_pdu_bytes: int = 128 * 1024  # a message_payload of 64 KiB, and then some
    hold_slots: bool = False
    report_own_traffic: bool = False
    max_owed_responses: int = 10_000
    max_late_requests: int = 10_000

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window = {self.window}: must be at least 1")
        if self.max_pdu_bytes < SMALLEST_PDU_LIMIT:
            raise ValueError(f"max_pdu_bytes = {self.max_pdu_bytes}: must be at least {SMALLEST_PDU_LIMIT}")
        if self.max_owed_responses < 1:
            raise ValueError(f"max_owed_responses = {self.max_owed_responses}: must be at least 1")
        if self.max_late_requests < 0:
            raise ValueError(f"max_late_requests = {self.max_late_requests}: must be at least 0")
        timers = {
            "response_timeout_seconds": self.response_timeout_seconds,
            "enquire_link_interval_seconds": self.enquire_link_interval_seconds,
            "inactivity_timeout_seconds": self.inactivity_timeout_seconds,
            "session_init_timeout_seconds": self.session_init_timeout_seconds,
        }
        for name, value in timers.items():
            if value is not None and value <= 0:
                raise ValueError(f"{name} = {value}: must be greater than 0")
