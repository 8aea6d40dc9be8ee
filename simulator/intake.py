"""Taking submits: each is decided, answered (or not), and its receipts are planned."""

from collections import Counter
from typing import Final

from gateway.smpp import CommandId, CommandStatus, Pdu, RegisteredDelivery, SubmitSm, SubmitSmResp
from simulator.accounts import Account
from simulator.agenda import Agenda
from simulator.answers import send_reply
from simulator.binds import Bind
from simulator.deliveries import Deliveries
from simulator.distributions import draw, drawing
from simulator.ids import spell_id_of_response
from simulator.inbound import References
from simulator.journal import Entry, kind_of
from simulator.load import Backlog, Curve, Meter
from simulator.messages import Delivery, Message, Reply
from simulator.outcomes import DELIVERED, Answer, Outcome, faults_of
from simulator.scenario import Scenario
from simulator.settings import Overload, Settings
from simulator.submits import Decisions, begins_message, wants_intermediate, wants_receipt

# Looking a member up in its enum costs as much as a dict insert; these are looked up for every submit.
_SUBMIT_SM: Final = int(CommandId.SUBMIT_SM)
_TAKEN: Final = kind_of(True, _SUBMIT_SM, CommandStatus.ESME_ROK)
_RECEIPT_AT_THE_END: Final = int(RegisteredDelivery.RECEIPT)
_NORMAL: Final = Answer.NORMAL

# How much later than its receipt an answer comes that is to come after it, also when they go over two connections.
_AFTER_RECEIPT_SECONDS: Final = 0.05


class Intake:
    """What stands between a submit_sm and the receipts that it leads to.

    `now` is a monotonic time; with `epoch_seconds` added it is Unix time.
    """

    def __init__(
        self, settings: Settings, deliveries: Deliveries, references: References, *, epoch_seconds: float
    ) -> None:
        self.processed = 0  # submits that became messages, answered or not
        self.faults: Counter[str] = Counter()  # that submits have suffered
        self._settings = settings
        self._deliveries = deliveries
        self._references = references
        self._epoch_seconds = epoch_seconds
        self.decisions: Final = Decisions(
            settings.seed, settings.scenario, destinations_limit=settings.memory.destinations
        )
        self._replies: Agenda[Reply] = Agenda()
        self._paused: list[Bind] = []
        self._window: Final = settings.smpp.window
        self._open_limit: Final = settings.memory.open_messages
        self._meter = Meter()
        self.change(settings.scenario)

    @property
    def next_due(self) -> float | None:
        """When to call `work` next."""
        return self._replies.next_due

    def work(self, *, now: float) -> None:
        """Send the answers that are due."""
        for reply in self._replies.take(now=now):
            reply.bind.unanswered -= 1
            send_reply(reply, self._epoch_seconds + now)
        if self._paused:
            self._resume()

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on."""
        self.scenario = scenario
        latency = scenario.response.latency_seconds
        self._latency = latency if isinstance(latency, (float, int)) else None  # of every answer, if it is one
        self._draw_latency = drawing(latency)
        self._draw_delay = drawing(scenario.receipts.delay_seconds)
        self._curve = Curve(scenario.capacity.curve) if scenario.capacity.curve else None
        queue = scenario.queue
        self._backlog = Backlog(queue.drain_per_second, queue.segments) if queue.drain_per_second else None
        self.decisions.change(scenario)

    def forget(self) -> None:
        """Begin every count again; answers that are still to come are not forgotten."""
        self.processed = 0
        self.faults.clear()
        self.decisions.forget()

    def take(self, bind: Bind, account: Account, request: Pdu, submit: SubmitSm, *, now: float) -> None:
        """Decide a submit, answer it or not, and plan its receipts."""
        at = self._epoch_seconds + now
        phone = submit.destination_addr
        bind.submits += 1
        has_room = self._deliveries.open < self._open_limit and bind.unanswered < self._window
        if not (has_room and account.throttle is None) and (status := self._check_room(bind, account, now)):
            bind.note(at, incoming=True, pdu=request, phone=phone)
            bind.answer(request, SubmitSmResp(), at, command_status=status, phone=phone)
            return
        outcome, turn = self.decisions.decide(submit, bind.system_id)
        latency = self._latency
        if latency is None or outcome.latency_seconds is not None:
            latency = self._latency_of(outcome, phone, turn)
        waits = 0.0
        if self._curve is not None or self._backlog is not None:
            outcome, latency, waits = self._under_load(outcome, latency, phone, turn, now)
        if outcome is not DELIVERED:
            self.faults.update(faults_of(outcome))
        if outcome.refusal or outcome.answer is Answer.IGNORED:
            bind.note(at, incoming=True, pdu=request, phone=phone)
            if outcome.refusal:
                self._reply(Reply(bind, request, SubmitSmResp(), outcome.refusal, phone), latency, now)
            else:
                bind.lose(request, SubmitSmResp())
            return
        if outcome.delay_seconds is None:
            delay = self._draw_delay(self.decisions.dice.receipt_delay(phone, turn))
        else:
            delay = draw(outcome.delay_seconds, self.decisions.dice.receipt_delay(phone, turn))
        number = account.next_number
        message_id = spell_id_of_response(number, self.scenario.receipts, is_altered=outcome.altered_id)
        delay += latency + waits
        message = Message(submit, number, message_id, outcome, at, at + delay, outcome.state)
        account.keep(message)
        self.processed += 1
        kind = _TAKEN if not request.command_status else kind_of(True, _SUBMIT_SM, request.command_status)
        bind.record(Entry(at, kind, bind.origin, request.sequence_number, phone, submit, message_id))
        if outcome is DELIVERED and submit.registered_delivery == _RECEIPT_AT_THE_END:
            self._deliveries.schedule(Delivery(bind.system_id, phone, message_id, message, bind), due=now + delay)
        else:
            self._plan_receipts(bind, message, now, delay, turn)
        if outcome.reply or self.scenario.inbound.reply_share:
            self._plan_reply(bind, message, now, turn)
        response = SubmitSmResp(message_id)
        if outcome.answer is _NORMAL and not latency:
            bind.answer(request, response, at, phone=phone)
            return
        if outcome.answer is Answer.AFTER_RECEIPT:
            latency += _AFTER_RECEIPT_SECONDS
        self._reply(Reply(bind, request, response, CommandStatus.ESME_ROK, phone, outcome.answer), latency, now)

    def _latency_of(self, outcome: Outcome, phone: str, turn: int) -> float:
        chance = self.decisions.dice.response_latency(phone, turn)
        if outcome.latency_seconds is not None:
            return draw(outcome.latency_seconds, chance)
        return self._draw_latency(chance)

    def _under_load(
        self, outcome: Outcome, latency: float, phone: str, turn: int, now: float
    ) -> tuple[Outcome, float, float]:
        """Return what load makes of an outcome, of the latency, and for how long the message waits for its turn."""
        if self._curve is not None:
            more, refused = self._curve.at(self._meter.count(now=now))
            latency += more
            if refused and self.decisions.dice.chance("capacity", phone, turn) < refused:
                return Outcome(refusal=CommandStatus[self.scenario.capacity.refuse_with]), latency, 0.0
        if self._backlog is None or outcome.refusal or outcome.answer is Answer.IGNORED:
            return outcome, latency, 0.0
        waits = self._backlog.wait(now=now)
        if waits is None:
            return Outcome(refusal=CommandStatus[self.scenario.queue.refuse_with]), latency, 0.0
        return outcome, latency, waits

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
        return CommandStatus[self.scenario.rate.refuse_with]

    def _plan_receipts(self, bind: Bind, message: Message, now: float, delay: float, turn: int) -> None:
        outcome, wanted = message.outcome, message.submit.registered_delivery
        phone = message.submit.destination_addr
        if wants_intermediate(wanted, outcome):
            intermediate = Delivery(bind.system_id, phone, message.id, message, bind, is_intermediate=True)
            self._deliveries.schedule(intermediate, due=now)
        if not wants_receipt(wanted, outcome.state):
            return
        receipts = self.scenario.receipts
        if outcome.late:
            delay += draw(receipts.late_seconds, self.decisions.dice.chance("late", phone, turn))
        if outcome.overtaken:
            delay += receipts.reorder_seconds
        for _ in range(outcome.copies):
            receipt = Delivery(bind.system_id, phone, message.id, message, bind, elsewhere=outcome.other_bind)
            if outcome.answer is Answer.AFTER_RECEIPT:
                self._deliveries.deliver(receipt, now=now)
            else:
                self._deliveries.schedule(receipt, due=now + delay)

    def _plan_reply(self, bind: Bind, message: Message, now: float, turn: int) -> None:
        """Let the subscriber reply to a message: as its number asks, or by chance."""
        inbound, submit, dice = self.scenario.inbound, message.submit, self.decisions.dice
        phone, text = submit.destination_addr, message.outcome.reply
        if not begins_message(submit):
            return
        if not text:
            if dice.chance("reply", phone, turn) >= inbound.reply_share:
                return
            text = inbound.reply_texts[int(dice.chance("reply text", phone, turn) * len(inbound.reply_texts))]
        due = now + draw(inbound.reply_delay_seconds, dice.chance("reply delay", phone, turn))
        for body in self._references.bodies(phone, submit.source_addr, text):
            self._deliveries.sent["inbound"] += 1
            self._deliveries.schedule(Delivery(bind.system_id, phone, body=body), due=due)

    # --- answers -------------------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, latency: float, now: float) -> None:
        if latency > 0:
            reply.bind.unanswered += 1
            self._replies.add(reply, due=now + latency)
        else:
            send_reply(reply, self._epoch_seconds + now)

    def _resume(self) -> None:
        """Read again from those for whom there is room."""
        for bind in self._paused:
            if bind.unanswered < self._window:
                bind.resume()
        self._paused = [bind for bind in self._paused if bind.is_paused and not bind.is_over]
