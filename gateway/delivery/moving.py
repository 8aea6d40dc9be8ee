"""The queues of carriers that cannot send: what waits there goes by others, as much as these can soon send.

Level by level, one-time passwords first; what the others have no room for waits where it is, in case its carrier comes
back before.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from gateway.delivery.carriers import Carrier
from gateway.delivery.elsewhere import Elsewhere, Why
from gateway.delivery.shared import Shared
from gateway.message import Level, Record

LOOK_SECONDS: Final = 1.0
FILL_SECONDS: Final = 10.0  # of its rate: so much may wait at the carrier that messages are moved to
AT_ONCE: Final = 200  # messages between two returns to the loop
_ORDER: Final = tuple(Level)


class Moving:
    """Moves messages away from carriers that are down, or paused and to be emptied."""

    def __init__(self, shared: Shared, carriers: Mapping[str, Carrier], elsewhere: Elsewhere) -> None:
        self._shared = shared
        self._carriers = carriers
        self._elsewhere = elsewhere

    async def run(self) -> None:
        """Look at all carriers now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for carrier in self._carriers.values():
                why = self._why_empty(carrier)
                if why is not None:
                    await self._empty(carrier, why)

    def _why_empty(self, carrier: Carrier) -> Why | None:
        if carrier.paused is not None:
            return Why.PAUSED if carrier.gives_away else None
        is_down = carrier.seconds_down >= self._shared.settings.move_after_seconds
        return Why.DOWN if is_down else None

    async def _empty(self, carrier: Carrier, why: Why) -> None:
        """Move what the others have room for now. What none of them takes waits on, in its order."""
        for level in Level:
            queue = carrier.queues.levels[level]
            room = {name: self._room(other, level) for name, other in self._carriers.items() if other.is_usable}
            stay: list[Record] = []
            while any(room.values()) and len(stay) < self._shared.settings.lane_window and not carrier.is_usable:
                taken = carrier.take_waiting(level, most=AT_ONCE)
                for record in taken:
                    name = self._target(record, room)
                    if name is None:
                        stay.append(record)
                    else:
                        self._elsewhere.move(record, name, why, before=carrier.name)
                queue.set_aside = len(stay)
                await asyncio.sleep(0)
                if len(taken) < AT_ONCE:
                    break
            queue.set_aside = 0
            for record in stay:
                carrier.send_again(record)

    def _room(self, carrier: Carrier, level: Level) -> int:
        """How many more messages may wait there, of this level and those before it."""
        waiting = sum(len(carrier.queues.levels[each]) for each in _ORDER[: _ORDER.index(level) + 1])
        most = min(round(FILL_SECONDS * carrier.rate), self._shared.settings.lane_window)
        return max(0, most - waiting)

    def _target(self, record: Record, room: dict[str, int]) -> str | None:
        """The best carrier for a record that can send now and has room, which this takes."""
        for name in self._elsewhere.usable_for(record):
            if room.get(name, 0) > 0:
                room[name] -= 1
                return name
        return None
