"""Every sequence of outcomes that can be found, against what must hold whatever happens."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.delivery import outcomes
from gateway.delivery.settings import OnDoubt
from gateway.message import PartStatus, Record, Status
from gateway.smpp import MessageState
from gateway.store.api import TRANSITIONS
from tests.delivery.samples import MORNING, a_record, an_attempt

THROTTLED, TEMPORARY, INVALID_NUMBER = 0x58, 0x08, 0x0B
RESENDS = 4

_any = st.randoms(use_true_random=False)


class Sent:
    """One attempt as the world knows it. `known`: its part and number, as delivery knows it."""

    def __init__(self, n: int, k: int) -> None:
        self.n, self.k = n, k
        self.timed_out = False
        self.refused = False
        self.accepted = False


class Sequences(RuleBasedStateMachine):
    """A message of some parts, handed over as the pump does it, and the answers in any order."""

    @initialize(parts=st.integers(1, 3), on_doubt=st.sampled_from(OnDoubt))
    def accept(self, parts: int, on_doubt: OnDoubt) -> None:
        self.record: Record = a_record(parts=parts)
        self.on_doubt = on_doubt
        self.open: list[Sent] = []  # no answer yet, in time or late
        self.left: list[Sent] = []  # all whose bytes may have left
        self.was_delivered = [False] * parts
        self.now = MORNING

    def tick(self) -> int:
        self.now += 1
        return self.now

    def waiting(self) -> list[int]:
        return [n for n, part in enumerate(self.record.state.parts) if part.status is PartStatus.WAITING]

    def in_time(self) -> list[Sent]:
        return [sent for sent in self.open if not sent.timed_out]

    # --- what happens -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.waiting() and not self.record.is_final)
    @rule(store_is_broken=st.booleans())
    def hand_over_the_next_part(self, store_is_broken: bool) -> None:
        n = self.waiting()[0]
        k = outcomes.hand_over(self.record, n, an_attempt(at=self.tick()))
        if self.on_doubt is OnDoubt.WAIT and store_is_broken:
            outcomes.take_back(self.record, n, k, "store_unavailable", at=self.tick())
            return
        sent = Sent(n, k)
        self.open.append(sent)
        self.left.append(sent)

    @precondition(lambda self: self.open)
    @rule(random=_any)
    def the_carrier_takes_one(self, random) -> None:
        sent = self._answered(random)
        sent.accepted = True
        outcomes.accepted(self.record, sent.n, sent.k, f"id-{self.tick()}", at=self.now)

    @precondition(lambda self: self.open)
    @rule(random=_any)
    def the_carrier_refuses_one_for_now(self, random) -> None:
        sent = self._answered(random)
        sent.refused = True
        outcomes.refused_for_now(self.record, sent.n, sent.k, TEMPORARY, "0x08", at=self.tick())

    @precondition(lambda self: self.open)
    @rule(random=_any)
    def the_carrier_throttles(self, random) -> None:
        sent = self._answered(random)
        sent.refused = True
        before = len(self.record.state.parts[sent.n].attempts)
        outcomes.throttled(self.record, sent.n, sent.k, THROTTLED, "0x58", at=self.tick())
        if len(self.record.state.parts[sent.n].attempts) < before:
            self._forget(sent.n, sent.k - 1)

    @precondition(lambda self: self.open)
    @rule(random=_any)
    def the_carrier_refuses_one_for_good(self, random) -> None:
        sent = self._answered(random)
        sent.refused = True
        outcomes.refused_for_good(self.record, sent.n, sent.k, INVALID_NUMBER, "0x0B", at=self.tick())

    @precondition(lambda self: self.in_time())
    @rule(random=_any)
    def one_is_not_answered(self, random) -> None:
        self._time_out(random.choice(self.in_time()))

    @precondition(lambda self: self.left)
    @rule(random=_any, state=st.sampled_from(MessageState))
    def a_receipt_comes(self, random, state: MessageState) -> None:
        sent = random.choice(self.left)
        before = self.record.state.parts[sent.n].status
        changed = outcomes.receipt(self.record, sent.n, sent.k, state, "001", at=self.tick())
        assert changed is (self.record.state.parts[sent.n].status is not before)
        if state is MessageState.DELIVERED:
            self.was_delivered[sent.n] = True

    @rule()
    def its_validity_ends(self) -> None:
        if self.waiting():
            outcomes.end(self.record, Status.EXPIRED, at=self.tick(), reason="validity ended")

    @rule()
    def its_receipt_deadline_passes(self) -> None:
        outcomes.give_up_waiting(self.record, at=self.tick())

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def only_changes_of_the_table_happen(self) -> None:
        seen = [entry.status for entry in self.record.state.timeline]
        for before, after in pairwise(seen):
            assert after in TRANSITIONS[before], f"{before} -> {after}"

    @invariant()
    def the_timeline_ends_in_the_status(self) -> None:
        assert self.record.state.timeline[-1].status is self.record.status

    @invariant()
    def a_delivered_part_stays_delivered(self) -> None:
        for part, was_delivered in zip(self.record.state.parts, self.was_delivered, strict=True):
            assert (part.status is PartStatus.DELIVERED) is was_delivered

    @invariant()
    def a_message_all_of_whose_parts_were_delivered_is_delivered(self) -> None:
        assert (self.record.status is Status.DELIVERED) is all(self.was_delivered)

    @invariant()
    def a_part_that_was_taken_does_not_wait(self) -> None:
        taken = {sent.n for sent in self.left if sent.accepted}
        assert not taken.intersection(self.waiting())

    @invariant()
    def with_wait_at_most_one_copy_may_have_reached_the_carrier(self) -> None:
        if self.on_doubt is OnDoubt.WAIT:
            for n in range(len(self.record.state.parts)):
                assert sum(sent.n == n and not sent.refused for sent in self.left) <= 1

    @invariant()
    def a_part_on_its_way_has_an_attempt_that_is_not_answered(self) -> None:
        under_way = {sent.n for sent in self.in_time()}
        for n, part in enumerate(self.record.state.parts):
            if part.status is PartStatus.SENDING:
                assert n in under_way

    @invariant()
    def nothing_piles_up(self) -> None:
        for n, part in enumerate(self.record.state.parts):
            assert len(part.attempts) <= sum(sent.n == n for sent in self.left)

    def teardown(self) -> None:
        """Whatever has happened: no more answers, no more receipts, and it ends."""
        if not hasattr(self, "record"):
            return
        for _ in range(3 * RESENDS + 1):
            for sent in list(self.in_time()):
                self._time_out(sent)
            if self.record.is_final or not self.waiting():
                break
            self.hand_over_the_next_part(store_is_broken=False)
        if self.waiting():
            outcomes.end(self.record, Status.EXPIRED, at=self.tick(), reason="validity ended")
        outcomes.give_up_waiting(self.record, at=self.tick())
        assert self.record.is_final
        self.only_changes_of_the_table_happen()

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _answered(self, random) -> Sent:
        sent = random.choice(self.open)
        self.open.remove(sent)
        return sent

    def _time_out(self, sent: Sent) -> None:
        sent.timed_out = True
        on_doubt = self.on_doubt if sent.k + 1 < RESENDS else OnDoubt.WAIT  # as carriers limit it
        outcomes.unanswered(self.record, sent.n, sent.k, "timeout", on_doubt, at=self.tick())

    def _forget(self, n: int, k: int) -> None:
        """Delivery let go of a refused attempt: the later ones count one less."""
        self.left = [sent for sent in self.left if (sent.n, sent.k) != (n, k)]
        for sent in self.left:
            if sent.n == n and sent.k > k:
                sent.k -= 1


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
