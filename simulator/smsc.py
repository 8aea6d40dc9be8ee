"""The SMSC: what every request of a client leads to.

No socket, no loop and no clock: connections are told what to do, and `now` is a monotonic time, which with
`epoch_seconds` added is Unix time.
"""

from collections.abc import Callable, Mapping
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
    DeliverSm,
    Event,
    GenericNack,
    MessageState,
    Npi,
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
    SubmitSmResp,
    Tlv,
    TlvTag,
    Ton,
)
from gateway.text import cut
from simulator.accounts import Account
from simulator.agenda import Agenda
from simulator.binds import Bind, Link
from simulator.deliveries import Deliveries
from simulator.distributions import draw
from simulator.ids import spell_id_of_response
from simulator.journal import Journal
from simulator.messages import Delivery, Message, Reply
from simulator.outcomes import Answer, Outcome
from simulator.settings import Mode, Overload, Scenario, Settings
from simulator.submits import Decisions, wants_intermediate, wants_receipt

# What a client that reads it as a PDU finds: a length of 4 GiB.
GARBAGE: Final = b"\xff" * 32

# How much later than its receipt an answer comes that is to come after it, also when they go over two connections.
_AFTER_RECEIPT_SECONDS: Final = 0.05

_SYSTEM_ID: Final = "simulator"
_INTERFACE_VERSION: Final = Tlv(TlvTag.SC_INTERFACE_VERSION, b"\x34")
_REFERENCES: Final = 256

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
        self._decisions = Decisions(settings.seed, settings.outcomes, destinations_limit=settings.memory.destinations)
        self._replies: Agenda[Reply] = Agenda()
        self._paused: list[Bind] = []
        self._connections = 0
        self._reference = 0
        self._handlers: dict[type[Body], Callable[[Bind, Pdu, Any, float], None]] = {
            SubmitSm: self._take_submit,
            QuerySm: self._take_query,
            CancelSm: self._take_cancel,
            **dict.fromkeys(_BINDS, self._take_bind),
        }
        self.scenario: Scenario = settings

    # --- what the connections report -----------------------------------------------------------------------------

    def connect(self, link: Link) -> Bind:
        """Take a new connection, which has yet to bind."""
        self._connections += 1
        return Bind(link, f"connection-{self._connections}", self.journal)

    def handle(self, bind: Bind, events: list[Event], *, now: float) -> None:
        """Take what one connection has to report."""
        for event in events:
            match event:
                case RequestReceived(pdu=pdu):
                    if not bind.is_over:
                        self._handlers.get(type(pdu.body), self._refuse)(bind, pdu, pdu.body, now)
                case ResponseReceived():
                    self._take_response(bind, event, now)
                case RequestUnanswered(context=context) if isinstance(context, Delivery):
                    self.deliveries.miss(context, now=now)
                case PeerUnbound():
                    bind.note_header(self._at(now), incoming=True, command_id=CommandId.UNBIND)
                    bind.can_receive = False
                case SessionBroken(unanswered=unanswered) | SessionClosed(unanswered=unanswered):
                    self._end(bind)
                    for lost in unanswered:
                        if isinstance(lost.context, Delivery):
                            self.deliveries.miss(lost.context, now=now)
                case RequestRefused() | StrayResponse():
                    self._note_damage(bind, event, now)
                case _:
                    pass
        account = self.accounts.get(bind.system_id)
        if account is not None and account.waiting:
            self.deliveries.drain(account, now=now)

    @property
    def next_due(self) -> float | None:
        """When to call `work` next."""
        dues = [due for due in (self._replies.next_due, self.deliveries.next_due) if due is not None]
        return min(dues, default=None)

    def work(self, *, now: float) -> None:
        """Do what is due."""
        for reply in self._replies.take(now=now):
            reply.bind.unanswered -= 1
            self._send_reply(reply, now)
        self.deliveries.work(now=now)
        if self._paused:
            self._resume()

    # --- what the control asks -----------------------------------------------------------------------------------

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on; what is under way goes on as it was decided."""
        self.scenario = scenario
        self.deliveries.receipts = scenario.receipts
        self._decisions.take_chances(scenario.outcomes)
        for account in self.accounts.values():
            account.limit(scenario.rate)

    def reset(self) -> None:
        """Forget messages, receipts that are still to come, the journal and the counts. Binds stay, and ids go on."""
        self.journal.clear()
        self.deliveries.clear()
        self._decisions.forget()
        for account in self.accounts.values():
            account.forget()

    def send_inbound(self, source: str, destination: str, text: str, *, now: float) -> int:
        """Send a subscriber's message, in parts if it is long, and return how many parts it took.

        Raises NobodyReceives, and TextError for a text that cannot be sent.
        """
        account = next((account for account in self.accounts.values() if account.can_receive), None)
        if account is None:
            raise NobodyReceives
        self._reference = (self._reference + 1) % _REFERENCES
        segments = cut(text, reference=self._reference)
        for part in segments.parts:
            body = DeliverSm(
                source_addr_ton=Ton.INTERNATIONAL,
                source_addr_npi=Npi.ISDN,
                source_addr=source,
                destination_addr=destination,
                esm_class=segments.esm_class,
                data_coding=segments.coding,
                short_message=part,
            )
            self.deliveries.sent["inbound"] += 1
            self.deliveries.deliver(Delivery(account.settings.system_id, source, body), now=now)
        return len(segments.parts)

    def counts(self) -> dict[str, Any]:
        """Return what happened since the start, or the last reset, as JSON has it."""
        pdus = self.journal.counts()
        answers = pdus["out"].get("submit_sm_resp", {})
        refused = {status: count for status, count in answers.items() if status != CommandStatus.ESME_ROK.name}
        return {
            "submitted": sum(pdus["in"].get("submit_sm", {}).values()),
            "accepted": answers.get(CommandStatus.ESME_ROK.name, 0),
            "refused": refused,
            "deliveries": dict(self.deliveries.sent),
            "delivery_results": dict(self.deliveries.results),
            "deliveries_open": len(self.deliveries),
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
        else:
            status = CommandStatus.ESME_ROK
            bind.open(account.add(bind), body.system_id, mode)
        response: Any = response_type
        bind.answer(request, response(system_id=_SYSTEM_ID, tlvs=(_INTERFACE_VERSION,)), at, command_status=status)

    def _take_submit(self, bind: Bind, request: Pdu, submit: SubmitSm, now: float) -> None:
        at = self._at(now)
        phone = submit.destination_addr
        account = self.accounts[bind.system_id]
        status = self._check_room(bind, account, now)
        if status:
            bind.note(at, incoming=True, pdu=request, phone=phone)
            bind.answer(request, SubmitSmResp(), at, command_status=status, phone=phone)
            return
        outcome, roll = self._decisions.decide(submit)
        latency = draw(self.scenario.response.latency_seconds, roll.response_latency)
        if outcome.refusal or outcome.answer is Answer.IGNORED:
            bind.note(at, incoming=True, pdu=request, phone=phone)
            if outcome.refusal:
                self._reply(Reply(bind, request, SubmitSmResp(), outcome.refusal, phone), latency, now)
            else:
                bind.lose(request, SubmitSmResp())
            return
        delay = outcome.delay_seconds
        if delay is None:
            delay = draw(self.scenario.receipts.delay_seconds, roll.receipt_delay)
        number = account.next_number
        message_id = spell_id_of_response(number, self.scenario.receipts, is_altered=outcome.altered_id)
        message = Message(submit, number, message_id, outcome, at, at + latency + delay, outcome.state)
        account.keep(message)
        bind.note(at, incoming=True, pdu=request, phone=phone, taken_as=message_id)
        self._plan_receipts(bind, message, now, latency + delay)
        response = SubmitSmResp(message_id=message_id)
        if outcome.answer is Answer.NORMAL and not latency:
            bind.answer(request, response, at, phone=phone)
        else:
            self._answer_as(outcome, Reply(bind, request, response, CommandStatus.ESME_ROK, phone), latency, now)

    def _answer_as(self, outcome: Outcome, reply: Reply, latency: float, now: float) -> None:
        match outcome.answer:
            case Answer.NORMAL:
                self._reply(reply, latency, now)
            case Answer.AFTER_RECEIPT:
                self._reply(reply, latency + _AFTER_RECEIPT_SECONDS, now)
            case Answer.GARBAGE:
                reply.garbage = True
                self._reply(reply, latency, now)
            case Answer.RESET:
                reply.bind.end()
                reply.bind.link.reset()
            case Answer.LOST | Answer.IGNORED:
                reply.bind.lose(reply.request, reply.response)
            case _:
                assert_never(outcome.answer)

    def _check_room(self, bind: Bind, account: Account, now: float) -> int:
        """Return the status that refuses a submit for which there is no room, or 0."""
        if len(self.deliveries) >= self.settings.memory.open_messages:
            return CommandStatus.ESME_RMSGQFUL
        if bind.unanswered >= self.settings.smpp.window:
            if self.settings.smpp.overload is Overload.REFUSE:
                return CommandStatus.ESME_RMSGQFUL
            # What was read together with this one is still taken, and nothing after it until answers have left.
            if not bind.is_paused:
                bind.pause()
                self._paused.append(bind)
        return CommandStatus.ESME_ROK if account.throttle.admits(now=now) else CommandStatus.ESME_RTHROTTLED

    def _plan_receipts(self, bind: Bind, message: Message, now: float, delay: float) -> None:
        outcome, wanted = message.outcome, message.submit.registered_delivery
        phone = message.submit.destination_addr
        if wants_intermediate(wanted, outcome):
            intermediate = Delivery(bind.system_id, phone, message=message, is_intermediate=True, bind=bind)
            self.deliveries.schedule(intermediate, due=now)
        if not wants_receipt(wanted, outcome.state):
            return
        for _ in range(outcome.copies):
            receipt = Delivery(bind.system_id, phone, message=message, bind=bind, elsewhere=outcome.other_bind)
            if outcome.answer is Answer.AFTER_RECEIPT:
                self.deliveries.deliver(receipt, now=now)
            else:
                self.deliveries.schedule(receipt, due=now + delay)

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
            error_code=int(message.outcome.error) if is_final else 0,
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

    # --- answers -------------------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, latency: float, now: float) -> None:
        if latency > 0:
            reply.bind.unanswered += 1
            self._replies.add(reply, due=now + latency)
        else:
            self._send_reply(reply, now)

    def _send_reply(self, reply: Reply, now: float) -> None:
        bind = reply.bind
        if bind.is_over:
            return
        status, phone = reply.command_status, reply.phone
        is_sent = bind.answer(reply.request, reply.response, self._at(now), command_status=status, phone=phone)
        if is_sent and reply.garbage:
            bind.link.inject(GARBAGE)

    def _take_response(self, bind: Bind, event: ResponseReceived, now: float) -> None:
        pdu = Pdu(event.command_status, event.sequence_number, event.response)
        delivery = event.context
        if not isinstance(delivery, Delivery):
            bind.note(self._at(now), incoming=True, pdu=pdu)
            return
        bind.note(
            self._at(now),
            incoming=True,
            pdu=pdu,
            phone=delivery.phone,
            taken_as=delivery.taken_as,
            stat=delivery.stat,
        )
        if not event.late:
            self.deliveries.settle(delivery, event.command_status, now=now)

    def _note_damage(self, bind: Bind, event: RequestRefused | StrayResponse, now: float) -> None:
        """Put what the session refused or ignored by itself into the journal."""
        bind.note_header(
            self._at(now),
            incoming=True,
            command_id=event.command_id,
            command_status=event.command_status,
            sequence_number=event.sequence_number,
        )

    def _end(self, bind: Bind) -> None:
        bind.end()
        account = self.accounts.get(bind.system_id)
        if account is not None:
            account.remove(bind)

    def _resume(self) -> None:
        """Read again from those for whom there is room."""
        for bind in self._paused:
            if bind.unanswered < self.settings.smpp.window:
                bind.resume()
        self._paused = [bind for bind in self._paused if bind.is_paused and not bind.is_over]

    def _at(self, now: float) -> float:
        return self._epoch_seconds + now


def _absolute_time(at: float) -> str:
    """Return a Unix time as SMPP writes it, YYMMDDhhmmsstnnp, in UTC. SMPP 3.4, section 7.1.1."""
    return datetime.fromtimestamp(at, UTC).strftime("%y%m%d%H%M%S") + "000+"
