"""Lanes keep the order of a message's events, and the cursor never passes what is not settled."""

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.callbacks.stream import Lane, Stream
from gateway.message import MessageId
from gateway.store.api import Event, EventId

LANES, BATCH = 3, 4


def event(event_id: int, message_id: int) -> Event:
    return Event(
        id=EventId(event_id), account="demo", message_id=MessageId(message_id), type="delivered", at=event_id, to="+86"
    )


class Traffic(RuleBasedStateMachine):
    """Events are read, sent, taken or refused, and given up, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream(EventId(0), lanes=LANES, batch=BATCH)
        self.last = 0
        self.unsettled: set[int] = set()
        self.under_way: dict[Lane, list[Event]] = {}
        self.settled_of_message: dict[int, list[int]] = defaultdict(list)

    @rule(messages=st.lists(st.integers(1, 6), max_size=20))
    def read(self, messages):
        for message_id in messages[: self.stream.wanted]:
            self.last += 1
            self.stream.take(event(self.last, message_id))
            self.unsettled.add(self.last)

    @rule()
    def pass_by(self):
        self.last += 1
        self.stream.pass_by(event(self.last, 99))

    @rule(place=st.integers(0, LANES - 1))
    def send(self, place):
        lane = self.stream.lanes[place]
        if lane not in self.under_way and (batch := lane.next_batch()):
            assert len(batch) <= BATCH
            self.under_way[lane] = batch

    @rule(taken=st.booleans(), place=st.integers(0, LANES - 1))
    def answer(self, taken, place):
        lane = self.stream.lanes[place]
        if (batch := self.under_way.pop(lane, None)) is None:
            return
        if taken:
            lane.delivered()
            self.settle(batch)
        else:
            lane.failed()
            lane.halve()

    @rule(place=st.integers(0, LANES - 1))
    def set_apart(self, place):
        lane = self.stream.lanes[place]
        if lane not in self.under_way and lane.events:
            taken = lane.take_first_message()
            assert len({each.message_id for each in taken}) == 1
            assert taken[0].message_id not in {each.message_id for each in lane.events}
            self.settle(taken)

    @rule(count=st.integers(1, 5))
    def give_up_the_oldest(self, count):
        taken = self.stream.take_oldest(count)
        sent = {each.id for batch in self.under_way.values() for each in batch}
        assert not sent & {each.id for each in taken}
        self.stream.settle(taken)
        self.unsettled -= {each.id for each in taken}

    def settle(self, events):
        for each in events:
            of_message = self.settled_of_message[each.message_id]
            assert not of_message or of_message[-1] < each.id
            of_message.append(each.id)
        self.stream.settle(events)
        self.unsettled -= {each.id for each in events}

    @invariant()
    def the_cursor_is_just_before_the_first_that_is_not_settled(self):
        assert self.stream.cursor == (min(self.unsettled) - 1 if self.unsettled else self.last)

    @invariant()
    def every_unsettled_event_is_in_one_lane(self):
        in_lanes = [each.id for lane in self.stream.lanes for each in lane.events]
        assert sorted(in_lanes) == sorted(self.unsettled)
        assert len(in_lanes) <= LANES * BATCH


TestTraffic = Traffic.TestCase
