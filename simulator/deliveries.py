"""Getting each deliver_sm to a client: when it is due, on a bind that has room, and again until it is taken."""

from collections import Counter
from collections.abc import Mapping
from math import inf
from typing import Final

from gateway.smpp import CommandStatus
from simulator.accounts import Account
from simulator.agenda import Agenda
from simulator.messages import Delivery
from simulator.receipts import make_final_receipt, make_intermediate_receipt
from simulator.scenario import Receipts

# What a client says that is short of room, not of will: the deliver_sm comes again. Any other refusal is its last word.
_PASSING: Final = frozenset(
    {
        CommandStatus.ESME_RX_T_APPN,
        CommandStatus.ESME_RTHROTTLED,
        CommandStatus.ESME_RMSGQFUL,
        CommandStatus.ESME_RSYSERR,
    }
)


class Deliveries:
    """Every deliver_sm from the time it is thought of to the time it is taken, or given up.

    `now` is a monotonic time; with `epoch_seconds` added it is Unix time.
    """

    def __init__(self, accounts: Mapping[str, Account], receipts: Receipts, *, epoch_seconds: float) -> None:
        self.receipts = receipts
        self.sent: Counter[str] = Counter()  # receipts by stat, and inbound messages, each counted once
        self.results: Counter[str] = Counter()  # what became of them: acknowledged, sent again, given up
        self._accounts = accounts
        self._epoch_seconds = epoch_seconds
        self._agenda: Agenda[Delivery] = Agenda()
        self.open = 0  # how many there are that are not taken yet
        self._waiting = 0  # due, and no bind could take them
        self._generation = 0

    @property
    def waiting(self) -> int:
        """How many are due, and no bind could take them."""
        return self._waiting

    @property
    def next_due(self) -> float | None:
        """When there is something to do next."""
        return self._agenda.next_due

    def schedule(self, delivery: Delivery, *, due: float) -> None:
        """Deliver a new one at `due`."""
        self.open += 1
        delivery.generation = self._generation
        self._agenda.add(delivery, due=due)

    def deliver(self, delivery: Delivery, *, now: float) -> None:
        """Deliver a new one now."""
        self.open += 1
        delivery.generation = self._generation
        self._deliver([delivery], now)

    def work(self, *, now: float) -> None:
        """Deliver what is due."""
        self._deliver(self._agenda.take(now=now), now)

    def _deliver(self, deliveries: list[Delivery], now: float) -> None:
        """Send each if a bind can take it, after those of its account that wait already; else let it wait."""
        accounts, send = self._accounts, self._send
        for delivery in deliveries:
            account = accounts[delivery.system_id]
            if account.waiting or not send(account, delivery, now):
                account.waiting.append(delivery)
                self._waiting += 1
        for account in accounts.values():
            if account.waiting:
                self.drain(account, now=now)

    def drain(self, account: Account, *, now: float) -> None:
        """Send what waits, in order, as far as the account's binds have room."""
        while account.waiting and self._send(account, account.waiting[0], now):
            account.waiting.popleft()
            self._waiting -= 1

    def settle(self, delivery: Delivery, command_status: int, *, now: float) -> None:
        """Take the client's answer: done, or once more, or refused for good."""
        if command_status and command_status in _PASSING and delivery.generation == self._generation:
            self._retry(delivery, now)
            return
        self.open -= 1
        if delivery.generation == self._generation:
            self.results["refused" if command_status else "acknowledged"] += 1

    def miss(self, delivery: Delivery, *, now: float) -> None:
        """Take it that no answer came: once more."""
        if delivery.generation == self._generation:
            self._retry(delivery, now)
        else:
            self.open -= 1

    def release(self, *, now: float) -> int:
        """Let everything that is to come later be due now, and return how much that was."""
        early = self._agenda.take(now=inf)
        for delivery in early:
            self._agenda.add(delivery, due=now)
        return len(early)

    def forget(self) -> None:
        """Forget what is to come and what waits; answers to what is in flight will mean nothing."""
        self._generation += 1
        self.open -= len(self._agenda) + self._waiting
        self._agenda.clear()
        self._waiting = 0

    def clear(self) -> None:
        """Forget everything, the counts too."""
        self.forget()
        self.sent.clear()
        self.results.clear()

    def _retry(self, delivery: Delivery, now: float) -> None:
        if delivery.retries >= self.receipts.retries:
            self.open -= 1
            self.results["given up"] += 1
            return
        delivery.retries += 1
        self._agenda.add(delivery, due=now + self.receipts.retry_seconds)

    def _send(self, account: Account, delivery: Delivery, now: float) -> bool:
        bind = delivery.bind
        if bind is None or delivery.elsewhere or not bind.can_receive or bind.link.window_free <= 0:
            bind = account.receiver_of(delivery)
            if bind is None:
                return False
        at = self._epoch_seconds + now
        if delivery.body is None:
            assert delivery.message is not None, "what is no receipt brings its body"
            make_receipt = make_intermediate_receipt if delivery.is_intermediate else make_final_receipt
            delivery.body, delivery.stat = make_receipt(delivery.message, self.receipts, at)
            self.sent[delivery.stat] += 1
        if not bind.deliver(delivery, delivery.body, at):
            return False
        if delivery.retries:
            self.results["sent again"] += 1
        return True
