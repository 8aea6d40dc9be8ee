"""The SMSC: what every request of a client leads to.

No socket, no loop and no clock: connections are told what to do, and `now` is a monotonic time, which with
`epoch_seconds` added is Unix time.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, assert_never

from gateway.smpp import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    CancelSm,
    CancelSmResp,
    CommandId,
    CommandStatus,
    DataSm,
    DataSmResp,
    DeliverSmResp,
    Event,
    GenericNack,
    MessageState,
    OwnTraffic,
    Pdu,
    PeerUnbound,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    RequestReceived,
    RequestRefused,
    RequestUnanswered,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    StrayResponse,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    Tlv,
    TlvTag,
    Unanswered,
)
from simulator.accounts import Account
from simulator.binds import Bind, Link
from simulator.deliveries import Deliveries
from simulator.inbound import References, Stream
from simulator.intake import Intake
from simulator.journal import Entry, Journal, kind_of
from simulator.messages import Delivery
from simulator.scenario import Scenario
from simulator.settings import Mode, Settings

_SYSTEM_ID: Final = "simulator"
_INTERFACE_VERSION: Final = Tlv(TlvTag.SC_INTERFACE_VERSION, b"\x34")

_ACKNOWLEDGED: Final = kind_of(True, CommandId.DELIVER_SM_RESP, CommandStatus.ESME_ROK)

_BINDS: Final[Mapping[type[Body], tuple[Mode, type[Body]]]] = {
    BindTransmitter: (Mode.TRANSMITTER, BindTransmitterResp),
    BindReceiver: (Mode.RECEIVER, BindReceiverResp),
    BindTransceiver: (Mode.TRANSCEIVER, BindTransceiverResp),
}
_NOT_OFFERED: Final[Mapping[type[Body], type[Body]]] = {
    DataSm: DataSmResp,
    ReplaceSm: ReplaceSmResp,
    SubmitMulti: SubmitMultiResp,
}


class NobodyReceives(Exception):  # noqa: N818 - a state of affairs, not a fault
    """No bind takes inbound messages now."""


class Smsc:
    """Every account, bind and message of one simulator."""

    def __init__(self, settings: Settings, *, epoch_seconds: float) -> None:
        self.settings: Final = settings
        self.journal: Final = Journal(settings.memory.journal_entries)
        self.accounts: Final = {
            account.system_id: Account(account, settings.rate, messages_limit=settings.memory.messages)
            for account in settings.account
        }
        self.deliveries: Final = Deliveries(self.accounts, settings.receipts, epoch_seconds=epoch_seconds)
        self._epoch_seconds: Final = epoch_seconds
        self._references: Final = References()
        self.intake: Final = Intake(settings, self.deliveries, self._references, epoch_seconds=epoch_seconds)
        self._stream: Final = Stream(self.intake.decisions.dice)
        self._stream.change(settings.inbound)
        self._connections = 0
        self._bind_turns: Counter[str] = Counter()  # by the accounts there are
        self._handlers: dict[type[Body], Callable[[Bind, Pdu, Any, float], None]] = {
            QuerySm: self._take_query,
            CancelSm: self._take_cancel,
            **dict.fromkeys(_BINDS, self._take_bind),
        }

    # --- what the connections report -----------------------------------------------------------------------------

    def connect(self, link: Link, *, now: float) -> Bind:
        """Take a new connection, which has yet to bind."""
        self._connections += 1
        return Bind(link, f"connection-{self._connections}", self.journal, self._at(now))

    def handle(self, bind: Bind, events: list[Event], *, now: float) -> None:
        """Take what one connection has to report."""
        for event in events:
            match event:
                case RequestReceived(pdu=pdu):
                    if bind.is_over:
                        continue
                    body = pdu.body
                    if type(body) is SubmitSm:
                        self.intake.take(bind, self.accounts[bind.system_id], pdu, body, now=now)
                    else:
                        self._handlers.get(type(body), self._refuse)(bind, pdu, body, now)
                case ResponseReceived():
                    self._take_response(bind, event, now)
                case RequestUnanswered(context=context):
                    assert isinstance(context, Delivery), "nothing else is asked of a client"
                    self.deliveries.miss(context, now=now)
                case PeerUnbound():
                    bind.note_header(self._at(now), incoming=True, command_id=CommandId.UNBIND)
                    bind.can_receive = False
                case SessionBroken(unanswered=unanswered) | SessionClosed(unanswered=unanswered):
                    self._end(bind, unanswered, now)
                case OwnTraffic():
                    self._note_own(bind, event, now)
                case RequestRefused() | StrayResponse():
                    self._note_damage(bind, event, now)
                case _:
                    assert_never(event)
        account = self.accounts.get(bind.system_id)
        if account is not None and account.waiting:
            self.deliveries.drain(account, now=now)
        self.journal.settle()

    @property
    def next_due(self) -> float | None:
        """When to call `work` next."""
        if self.scenario.wire.silent:
            return None  # nothing is done until it speaks again
        dues = (self.intake.next_due, self.deliveries.next_due, self._stream.next_due)
        return min((due for due in dues if due is not None), default=None)

    def work(self, *, now: float) -> None:
        """Do what is due."""
        if self.scenario.wire.silent:
            return
        self.intake.work(now=now)
        self.deliveries.work(now=now)
        for unasked in self._stream.take(now=now):
            with suppress(NobodyReceives):
                self.send_inbound(unasked.source, unasked.destination, unasked.text, now=now)
        self.journal.settle()

    @property
    def scenario(self) -> Scenario:
        """How it behaves now."""
        return self.intake.scenario

    # --- what the control asks -----------------------------------------------------------------------------------

    def change(self, scenario: Scenario, *, now: float) -> None:
        """Behave by another scenario from now on; what is under way goes on as it was decided."""
        self.deliveries.receipts = scenario.receipts
        self.intake.change(scenario)
        self._stream.change(scenario.inbound)
        self._stream.begin(now=now)
        for account in self.accounts.values():
            account.limit(scenario.rate)

    def reset(self) -> None:
        """Forget messages, receipts that are still to come, the journal and the counts. Binds stay, and ids go on."""
        self.journal.clear()
        self.deliveries.clear()
        self.intake.forget()
        for account in self.accounts.values():
            account.forget()

    def lose_memory(self, *, reuse_ids: bool) -> None:
        """Forget messages and what is still to come of them; the journal, which is the tester's, stays."""
        self.deliveries.forget()
        for account in self.accounts.values():
            account.forget(reuse_ids=reuse_ids)

    def release(self, *, now: float) -> int:
        """Let receipts and inbound messages that are to come later come now, and return how many these are."""
        return self.deliveries.release(now=now)

    def send_inbound(self, source: str, destination: str, text: str, *, now: float) -> int:
        """Send a subscriber's message, in parts if it is long, and return how many parts it took.

        Raises NobodyReceives, and TextError for a text that cannot be sent.
        """
        account = next((account for account in self.accounts.values() if account.can_receive), None)
        if account is None:
            raise NobodyReceives
        bodies = self._references.bodies(source, destination, text)
        for body in bodies:
            self.deliveries.sent["inbound"] += 1
            self.deliveries.deliver(Delivery(account.settings.system_id, source, body=body), now=now)
        self.journal.settle()
        return len(bodies)

    def counts(self) -> dict[str, Any]:
        """Return what happened since the start, or the last reset, as JSON has it."""
        pdus = self.journal.counts()
        answers = pdus["out"].get("submit_sm_resp", {})
        refused = {status: count for status, count in answers.items() if status != CommandStatus.ESME_ROK.name}
        return {
            "submitted": sum(pdus["in"].get("submit_sm", {}).values()),
            "accepted": answers.get(CommandStatus.ESME_ROK.name, 0),
            "refused": refused,
            "processed": self.intake.processed,
            "faults": dict(self.intake.faults),
            "deliveries": dict(self.deliveries.sent),
            "delivery_results": dict(self.deliveries.results),
            "deliveries_open": self.deliveries.open,
            "deliveries_waiting": self.deliveries.waiting,
            "binds": {name: len(account.binds) for name, account in self.accounts.items()},
            "pdus": pdus,
            "journal": {"entries": len(self.journal), "dropped": self.journal.dropped},
        }

    # --- requests ------------------------------------------------------------------------------------------------

    def _take_bind(self, bind: Bind, request: Pdu, body: Any, now: float) -> None:
        at = self._at(now)
        bind.note(at, incoming=True, pdu=request)
        mode, response_type = _BINDS[type(body)]
        account = self.accounts.get(body.system_id)
        if account is None:
            status = CommandStatus.ESME_RINVSYSID
        elif body.password != account.settings.password:
            status = CommandStatus.ESME_RINVPASWD
        elif mode not in account.settings.modes or len(account.binds) >= account.settings.max_binds:
            status = CommandStatus.ESME_RBINDFAIL
        elif self.scenario.binds.refuse_with and self._is_refused(body.system_id):
            status = CommandStatus[self.scenario.binds.refuse_with]
        else:
            status = CommandStatus.ESME_ROK
            bind.open(account.add(bind), body.system_id, mode)
        response: Any = response_type
        bind.answer(request, response(system_id=_SYSTEM_ID, tlvs=(_INTERFACE_VERSION,)), at, command_status=status)

    def _is_refused(self, system_id: str) -> bool:
        """Say whether this bind is among those that the scenario refuses: the n-th of an account always is or not."""
        self._bind_turns[system_id] += 1
        dice, turn = self.intake.decisions.dice, self._bind_turns[system_id]
        return dice.chance("bind", system_id, turn) < self.scenario.binds.refused

    def _take_query(self, bind: Bind, request: Pdu, query: QuerySm, now: float) -> None:
        at = self._at(now)
        message = self.accounts[bind.system_id].find(query.message_id)
        phone = message.submit.destination_addr if message is not None else ""
        bind.note(at, incoming=True, pdu=request, phone=phone)
        if message is None:
            bind.answer(request, QuerySmResp(), at, command_status=CommandStatus.ESME_RQUERYFAIL)
            return
        state = message.state_at(at)
        is_final = state is not MessageState.ENROUTE
        response = QuerySmResp(
            message_id=query.message_id,
            final_date=_absolute_time(message.final_at) if is_final else "",
            message_state=state,
            error_code=_error_octet(message.outcome.error) if is_final else 0,
        )
        bind.answer(request, response, at, phone=phone)

    def _take_cancel(self, bind: Bind, request: Pdu, cancel: CancelSm, now: float) -> None:
        """Cancel one message by its id; all of one source and destination, as section 4.9 allows, is not offered."""
        at = self._at(now)
        message = self.accounts[bind.system_id].find(cancel.message_id)
        phone = message.submit.destination_addr if message is not None else cancel.destination_addr
        bind.note(at, incoming=True, pdu=request, phone=phone)
        status = CommandStatus.ESME_RCANCELFAIL
        if message is not None and message.state_at(at) is MessageState.ENROUTE:
            status = CommandStatus.ESME_ROK
            message.final_state = MessageState.DELETED
            message.final_at = at
        bind.answer(request, CancelSmResp(), at, command_status=status, phone=phone)

    def _refuse(self, bind: Bind, request: Pdu, body: Body, now: float) -> None:
        at = self._at(now)
        bind.note(at, incoming=True, pdu=request)
        response: Any = _NOT_OFFERED.get(type(body), GenericNack)
        bind.answer(request, response(), at, command_status=CommandStatus.ESME_RINVCMDID)

    # --- answers and ends ----------------------------------------------------------------------------------------

    def _take_response(self, bind: Bind, event: ResponseReceived, now: float) -> None:
        delivery, response, status = event.context, event.response, event.command_status
        is_usual = not status and type(response) is DeliverSmResp
        at, kind = self._epoch_seconds + now, _ACKNOWLEDGED if is_usual else kind_of(True, response.command_id, status)
        if not isinstance(delivery, Delivery):
            bind.record(Entry(at, kind, bind.origin, event.sequence_number, "", response))
            return
        phone, taken_as, stat = delivery.phone, delivery.taken_as, delivery.stat
        bind.record(Entry(at, kind, bind.origin, event.sequence_number, phone, response, taken_as, stat))
        if not event.late:
            self.deliveries.settle(delivery, status, now=now)

    def _note_own(self, bind: Bind, event: OwnTraffic, now: float) -> None:
        """Put what the session said and heard by itself into the journal: keep-alives, and the answer to an unbind."""
        bind.note_header(
            self._at(now), incoming=event.incoming, command_id=event.command_id, sequence_number=event.sequence_number
        )

    def _note_damage(self, bind: Bind, event: RequestRefused | StrayResponse, now: float) -> None:
        """Put what the session refused or ignored by itself into the journal."""
        bind.note_header(
            self._at(now),
            incoming=True,
            command_id=event.command_id,
            command_status=event.command_status,
            sequence_number=event.sequence_number,
        )

    def _end(self, bind: Bind, unanswered: tuple[Unanswered, ...], now: float) -> None:
        bind.end()
        account = self.accounts.get(bind.system_id)
        if account is not None:
            account.remove(bind)
        for lost in unanswered:
            if isinstance(lost.context, Delivery):
                self.deliveries.miss(lost.context, now=now)

    def _at(self, now: float) -> float:
        return self._epoch_seconds + now


def _error_octet(error: str) -> int:
    """Return an error code as query_sm_resp has it: one octet. Section 4.8.2."""
    return min(int(error), 0xFF) if error.isdecimal() else 0xFF


def _absolute_time(at: float) -> str:
    """Return a Unix time as SMPP writes it, YYMMDDhhmmsstnnp, in UTC. SMPP 3.4, section 7.1.1."""
    return datetime.fromtimestamp(at, UTC).strftime("%y%m%d%H%M%S") + "000+"
