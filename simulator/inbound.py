"""Messages of subscribers: what one looks like on the wire, and those that come of their own accord. Pure."""

from math import inf
from typing import Final

import msgspec

from gateway.smpp import DeliverSm, Npi, Ton
from gateway.text import cut
from simulator.dice import Dice
from simulator.scenario import Inbound

_REFERENCES: Final = 256
_NUMBER_DIGITS: Final = 13
# A stream that could not keep up does not make up for more than this.
_LONGEST_ARREARS_SECONDS: Final = 1.0


class References:
    """The references of long messages, one after the other."""

    def __init__(self) -> None:
        self._last = 0

    def bodies(self, source: str, destination: str, text: str) -> list[DeliverSm]:
        """Return the parts of a message of a subscriber. Raises TextError for a text that cannot be sent."""
        self._last = (self._last + 1) % _REFERENCES
        segments = cut(text, reference=self._last)
        return [
            DeliverSm(
                source_addr_ton=Ton.INTERNATIONAL,
                source_addr_npi=Npi.ISDN,
                source_addr=source,
                destination_addr=destination,
                esm_class=segments.esm_class,
                data_coding=segments.coding,
                short_message=part,
            )
            for part in segments.parts
        ]


class Unasked(msgspec.Struct, frozen=True):
    """A message that a subscriber sends of their own accord."""

    source: str
    destination: str
    text: str


class Stream:
    """The messages that come of their own accord: the n-th is the same for the same seed."""

    def __init__(self, dice: Dice) -> None:
        self._dice: Final = dice
        self._count = 0
        self._due = inf
        self._inbound = Inbound()

    def change(self, inbound: Inbound) -> None:
        """Let them come by these settings; the next comes when `begin` says from when on."""
        self._inbound = inbound
        self._due = inf

    def begin(self, *, now: float) -> None:
        """Let the first come one interval after `now`, if any are to come and none is due."""
        if self._inbound.messages_per_second and self._due == inf:
            self._due = now + 1 / self._inbound.messages_per_second

    @property
    def next_due(self) -> float | None:
        """When the next one comes."""
        return None if self._due == inf else self._due

    def take(self, *, now: float) -> list[Unasked]:
        """Return what is due."""
        taken: list[Unasked] = []
        if self._due < now - _LONGEST_ARREARS_SECONDS:
            self._due = now - _LONGEST_ARREARS_SECONDS
        while self._due <= now:
            taken.append(self._next())
            self._due += 1 / self._inbound.messages_per_second
        return taken

    def _next(self) -> Unasked:
        self._count += 1
        inbound, number = self._inbound, self._count
        digits = _NUMBER_DIGITS - len(inbound.sources)
        drawn = int(self._dice.chance("source", "", number) * 10**digits) if digits > 0 else 0
        source = f"{inbound.sources}{drawn:0{digits}d}" if digits > 0 else inbound.sources
        text = inbound.texts[int(self._dice.chance("text", "", number) * len(inbound.texts))]
        return Unasked(source, inbound.to, text)
