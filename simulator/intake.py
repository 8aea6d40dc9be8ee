"""Taking submits: each is decided, answered (or not), and its receipts are planned."""

from typing import Final, assert_never

from gateway.smpp import CommandId, CommandStatus, Pdu, RegisteredDelivery, SubmitSm, SubmitSmResp, encode
from simulator.accounts import Account
from simulator.agenda import Agenda
from simulator.binds import Bind
from simulator.deliveries import Deliveries
from simulator.distributions import drawing
from simulator.ids import spell_id_of_response
from simulator.journal import Entry, kind_of
from simulator.messages import Delivery, Message, Reply
from simulator.outcomes import DELIVERED, Answer, Outcome
from simulator.settings import Overload, Scenario, Settings
from simulator.submits import Decisions, wants_intermediate, wants_receipt

# Looking a member up in its enum costs as much as a dict insert; these are looked up for every submit.
_SUBMIT_SM: Final = int(CommandId.SUBMIT_SM)
_RECEIPT_AT_THE_END: Final = int(RegisteredDelivery.RECEIPT)
_NORMAL: Final = Answer.NORMAL
_IGNORED: Final = Answer.IGNORED

# What a client that reads it as a PDU finds: a length of 4 GiB.
GARBAGE: Final = b"\xff" * 32

# What makes of a sequence number another one that is not in use.
_OTHER_SEQUENCE: Final = 0x4000_0000

# How much later than its receipt an answer comes that is to come after it, also when they go over two connections.
_AFTER_RECEIPT_SECONDS: Final = 0.05


class Intake:
    """What stands between a submit_sm and the receipts that it leads to.

    `now` is a monotonic time; with `epoch_seconds` added it is Unix time.
    """

    def __init__(self, settings: Settings, deliveries: Deliveries, *, epoch_seconds: float) -> None:
        self.processed = 0  # submits that became messages, answered or not
        self._settings = settings
        self._deliveries = deliveries
        self._epoch_seconds = epoch_seconds
        self._decisions = Decisions(settings.seed, settings.outcomes, destinations_limit=settings.memory.destinations)
        self._replies: Agenda[Reply] = Agenda()
        self._paused: list[Bind] = []
        self._window: Final = settings.smpp.window
        self._open_limit: Final = settings.memory.open_messages
        self.change(settings)

    @property
    def next_due(self) -> float | None:
        """When to call `work` next."""
        return self._replies.next_due

    def work(self, *, now: float) -> None:
        """Send the answers that are due."""
        for reply in self._replies.take(now=now):
            reply.bind.unanswered -= 1
            self._send_reply(reply, now)
        if self._paused:
            self._resume()

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on."""
        self.scenario = scenario
        latency = scenario.response.latency_seconds
        self._latency = latency if isinstance(latency, (float, int)) else None  # of every answer, if it is one
        self._draw_latency = drawing(latency)
        self._draw_delay = drawing(scenario.receipts.delay_seconds)
        self._decisions.take_chances(scenario.outcomes)

    def forget(self) -> None:
        """Begin every count again; answers that are still to come are not forgotten."""
        self.processed = 0
        self._decisions.forget()

    def take(self, bind: Bind, account: Account, request: Pdu, submit: SubmitSm, *, now: float) -> None:
        """Decide a submit, answer it or not, and plan its receipts."""
        at = self._epoch_seconds + now
        phone = submit.destination_addr
        has_room = self._deliveries.open < self._open_limit and bind.unanswered < self._window
        if not (has_room and account.throttle is None) and (status := self._check_room(bind, account, now)):
            bind.note(at, incoming=True, pdu=request, phone=phone)
            bind.answer(request, SubmitSmResp(), at, command_status=status, phone=phone)
            return
        decisions = self._decisions
        outcome, turn = decisions.decide(submit)
        latency = self._latency
        if latency is None:
            latency = self._draw_latency(decisions.dice.response_latency(phone, turn))
        answer = outcome.answer
        if outcome.refusal or answer is _IGNORED:
            bind.note(at, incoming=True, pdu=request, phone=phone)
            if outcome.refusal:
                self._reply(Reply(bind, request, SubmitSmResp(), outcome.refusal, phone), latency, now)
            else:
                bind.lose(request, SubmitSmResp())
            return
        delay = outcome.delay_seconds
        if delay is None:
            delay = self._draw_delay(decisions.dice.receipt_delay(phone, turn))
        number = account.next_number
        message_id = spell_id_of_response(number, self.scenario.receipts, is_altered=outcome.altered_id)
        delay += latency
        message = Message(submit, number, message_id, outcome, at, at + delay, outcome.state)
        account.keep(message)
        self.processed += 1
        kind = kind_of(True, _SUBMIT_SM, request.command_status)
        bind.record(Entry(at, kind, bind.origin, request.sequence_number, phone, submit, message_id))
        if outcome is DELIVERED and submit.registered_delivery == _RECEIPT_AT_THE_END:
            self._deliveries.schedule(Delivery(bind.system_id, phone, message_id, message, bind), due=now + delay)
        else:
            self._plan_receipts(bind, message, now, delay)
        response = SubmitSmResp(message_id)
        if answer is _NORMAL and not latency:
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
            case Answer.WRONG_SEQUENCE:
                number = reply.request.sequence_number ^ _OTHER_SEQUENCE
                answer = Pdu(CommandStatus.ESME_ROK, number, reply.response)
                reply.bind.lose(reply.request, reply.response)
                reply.bind.link.inject(encode(answer))
                reply.bind.note(self._epoch_seconds + now, incoming=False, pdu=answer, phone=reply.phone)
            case Answer.HALF:
                answer = Pdu(CommandStatus.ESME_ROK, reply.request.sequence_number, reply.response)
                data = encode(answer)
                reply.bind.end()
                reply.bind.link.inject_and_reset(data[: len(data) // 2])
            case Answer.LOST | Answer.IGNORED:
                reply.bind.lose(reply.request, reply.response)
            case _:
                assert_never(outcome.answer)

    def _check_room(self, bind: Bind, account: Account, now: float) -> int:
        """Return the status that refuses a submit for which there is no room, or 0."""
        if self._deliveries.open >= self._open_limit:
            return CommandStatus.ESME_RMSGQFUL
        if bind.unanswered >= self._window:
            if self._settings.smpp.overload is Overload.REFUSE:
                return CommandStatus.ESME_RMSGQFUL
            # What was read together with this one is still taken, and nothing after it until answers have left.
            if not bind.is_paused:
                bind.pause()
                self._paused.append(bind)
        if account.throttle is None or account.throttle.admits(now=now):
            return 0
        return CommandStatus.ESME_RTHROTTLED

    def _plan_receipts(self, bind: Bind, message: Message, now: float, delay: float) -> None:
        outcome, wanted = message.outcome, message.submit.registered_delivery
        phone = message.submit.destination_addr
        if wants_intermediate(wanted, outcome):
            intermediate = Delivery(bind.system_id, phone, message.id, message, bind, is_intermediate=True)
            self._deliveries.schedule(intermediate, due=now)
        if not wants_receipt(wanted, outcome.state):
            return
        for _ in range(outcome.copies):
            receipt = Delivery(bind.system_id, phone, message.id, message, bind, elsewhere=outcome.other_bind)
            if outcome.answer is Answer.AFTER_RECEIPT:
                self._deliveries.deliver(receipt, now=now)
            else:
                self._deliveries.schedule(receipt, due=now + delay)

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
        is_sent = bind.answer(
            reply.request, reply.response, self._epoch_seconds + now, command_status=status, phone=phone
        )
        if is_sent and reply.garbage:
            bind.link.inject(GARBAGE)

    def _resume(self) -> None:
        """Read again from those for whom there is room."""
        for bind in self._paused:
            if bind.unanswered < self._window:
                bind.resume()
        self._paused = [bind for bind in self._paused if bind.is_paused and not bind.is_over]
