"""Our requests: which are unanswered, which slots they take, and which are remembered for a late answer."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from .constants import LAST_SEQUENCE_NUMBER
from .events import Unanswered
from .pdus import BindReceiver, BindTransceiver, BindTransmitter, Body, EnquireLink, Unbind

# Keep-alive must get through exactly when the window is full, and so must an unbind; a bind has nothing beside it.
WITHOUT_SLOT: Final[frozenset[type[Body]]] = frozenset(
    {EnquireLink, Unbind, BindTransmitter, BindReceiver, BindTransceiver}
)


class Request(msgspec.Struct, frozen=True):
    """A request of ours that is unanswered."""

    body: Body
    context: object
    deadline: float


class Window:
    """The unanswered requests of a session, oldest first, and the slots they take."""

    __slots__ = (
        "_held",
        "_last_number",
        "_late",
        "_max_late",
        "_wrapped",
        "hold_slots",
        "in_use",
        "size",
        "unanswered",
    )

    def __init__(self, size: int, *, hold_slots: bool, max_late: int) -> None:
        self.size: Final = size
        self.hold_slots: Final = hold_slots
        self.in_use = 0
        # By sequence number. All wait equally long, so the order of insertion is the order of deadlines.
        self.unanswered: dict[int, Request] = {}
        self._held: set[int] = set()  # answered, slot not released
        self._late: OrderedDict[int, Request] = OrderedDict()  # timed out
        self._max_late: Final = max_late
        self._last_number = 0
        self._wrapped = False

    def next_number(self) -> int:
        """The next sequence number: 1 to 0x7FFFFFFF and round again, past those that could still be meant."""
        number = self._last_number + 1
        if number > LAST_SEQUENCE_NUMBER:
            number, self._wrapped = 1, True
        if self._wrapped:
            while number in self.unanswered or number in self._held or number in self._late:
                number = number + 1 if number < LAST_SEQUENCE_NUMBER else 1
        self._last_number = number
        return number

    def add(self, number: int, request: Request) -> None:
        """Remember `request` as unanswered, in a slot if it takes one."""
        self.unanswered[number] = request
        if type(request.body) not in WITHOUT_SLOT:
            self.in_use += 1

    def settle(self, number: int) -> None:
        """The request is answered: free its slot, or hold it until `release`."""
        request = self.unanswered.pop(number)
        if type(request.body) in WITHOUT_SLOT:
            return
        if self.hold_slots:
            self._held.add(number)
        else:
            self.in_use -= 1

    def give_up(self, number: int, *, remember: bool) -> Request:
        """The request is in doubt: free its slot; with `remember`, know it again if its answer comes late."""
        request = self.unanswered.pop(number)
        if type(request.body) not in WITHOUT_SLOT:
            self.in_use -= 1
        if remember:
            self._late[number] = request
            if len(self._late) > self._max_late:
                self._late.popitem(last=False)
        return request

    def find_late(self, number: int) -> Request | None:
        """The request that timed out under this number, if it is remembered."""
        return self._late.get(number)

    def forget_late(self, number: int) -> None:
        """Its answer has come: do not know it again."""
        del self._late[number]

    def release(self, number: int) -> None:
        """Free the slot that the answered request `number` holds, if it holds one."""
        if number in self._held:
            self._held.remove(number)
            self.in_use -= 1

    def due(self, now: float) -> Iterator[int]:
        """The numbers of the requests whose time is up, oldest first. Take them all before changing anything."""
        for number, request in self.unanswered.items():
            if request.deadline > now:
                return
            yield number

    @property
    def first_deadline(self) -> float:
        """When the oldest request's time is up; infinity if there is none."""
        for request in self.unanswered.values():
            return request.deadline
        return float("inf")

    def hand_back(self) -> tuple[Unanswered, ...]:
        """All that is unanswered, oldest first, and forget it: the session is over."""
        unanswered = tuple(
            Unanswered(number, request.body, request.context) for number, request in self.unanswered.items()
        )
        self.unanswered.clear()
        self._held.clear()
        self._late.clear()
        self.in_use = 0
        return unanswered
