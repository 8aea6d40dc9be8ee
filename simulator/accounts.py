"""An account: its binds, its message ids, and the deliver_sm that wait for a bind of its to take them."""

from collections import deque
from typing import Final

from simulator.binds import Bind
from simulator.ids import FIRST_NUMBER, read
from simulator.messages import Delivery, Message
from simulator.scenario import Rate
from simulator.settings import Account as AccountSettings
from simulator.throttle import Throttle


class Account:
    """What the simulator knows of one account while it runs."""

    def __init__(self, settings: AccountSettings, rate: Rate, *, messages_limit: int) -> None:
        self.settings = settings
        self.binds: list[Bind] = []
        self.waiting: deque[Delivery] = deque()  # due, and no bind has taken them
        self._messages: list[Message | None] = [None] * messages_limit  # the newest, each where its number says
        self._messages_limit: Final = messages_limit
        self.next_number = FIRST_NUMBER  # what the id of the next message is made of
        self._binds_so_far = 0
        self._turn = 0
        self.limit(rate)

    def limit(self, rate: Rate) -> None:
        """Hold the account to another rate from now on."""
        limited = rate.segments_per_second > 0
        self.throttle = Throttle(rate.segments_per_second, rate.burst_seconds) if limited else None

    def keep(self, message: Message) -> None:
        """Remember a message in the place of an older one; it has taken `next_number`."""
        number = message.number
        assert number == self.next_number
        self.next_number = number + 1
        self._messages[number % self._messages_limit] = message

    def find(self, message_id: str) -> Message | None:
        """Return the message with this id, if it is still remembered."""
        number = read(message_id)
        if number is None:
            return None
        message = self._messages[number % self._messages_limit]
        return message if message is not None and message.number == number else None

    def forget(self, *, reuse_ids: bool = False) -> None:
        """Forget every message, and what waits; ids go on, or begin again with `reuse_ids`."""
        self.waiting.clear()
        self._messages = [None] * len(self._messages)
        if reuse_ids:
            self.next_number = FIRST_NUMBER

    def add(self, bind: Bind) -> str:
        """Count a bind in, and return its name."""
        self._binds_so_far += 1
        self.binds.append(bind)
        return f"{self.settings.system_id}-{self._binds_so_far}"

    def remove(self, bind: Bind) -> None:
        """Forget a bind that has ended; one that is not here is no error."""
        bind.can_receive = False
        if bind in self.binds:
            self.binds.remove(bind)

    @property
    def can_receive(self) -> bool:
        """Whether some bind takes deliver_sm, now or when its window has room."""
        return any(bind.can_receive for bind in self.binds)

    def receiver_of(self, delivery: Delivery) -> Bind | None:
        """Return the bind that can take `delivery` now and suits it best: its own, or with `elsewhere` any but that."""
        own = delivery.bind
        if own is not None and not delivery.elsewhere and own.can_receive and own.link.window_free > 0:
            return own
        binds = self.binds
        count = len(binds)
        start = self._turn = self._turn + 1
        usable = (
            bind
            for bind in (binds[(start + offset) % count] for offset in range(count))
            if bind.can_receive and bind is not own and bind.link.window_free > 0
        )
        other = next(usable, None)
        if other is None and own is not None and own.can_receive and own.link.window_free > 0:
            return own
        return other
