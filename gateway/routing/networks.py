"""Whose subscriber a number is now: the table of ported numbers, else what receipts told, else the number plan.

Virtual operators, things and satellite telephones cannot be taken along: of those the plan alone speaks. What stands in
the table by hand (over the API) wins over its file.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.message import Milliseconds
from gateway.numbers import Kind, Network, Number, NumberPlan, PlanEntry
from gateway.routing.learned import LearnedPorts
from gateway.routing.ported import PORTED_TO, PortTable

# By the names of network and kind: an enum's members are slow to hash.
_ENTRIES: Final = {
    network.value: {kind.value: PlanEntry(network, kind) for kind in (Kind.MOBILE, Kind.DATA)} for network in PORTED_TO
}


class Source(StrEnum):
    """Who said whose subscriber a number is."""

    TABLE = "table"
    LEARNED = "learned"
    PLAN = "plan"
    NONE = "none"  # a mainland number in no row of the plan
    ABROAD = "abroad"


class Networks:
    """Looks numbers up, and counts who knew.

    `by_hand` and `learned` change while it runs; plan and file are replaced.
    """

    def __init__(
        self,
        plan: NumberPlan,
        *,
        file: PortTable | None = None,
        by_hand: PortTable | None = None,
        learned: LearnedPorts | None = None,
    ) -> None:
        self._plan = plan
        self._file = file if file is not None else PortTable()
        self.by_hand = by_hand if by_hand is not None else PortTable()
        self.learned = learned if learned is not None else LearnedPorts(limit=0, keep_milliseconds=1)
        self._from_table = self._from_learned = self._from_plan = self._from_none = self._from_abroad = 0

    @property
    def lookups(self) -> Mapping[Source, int]:
        """How many questions each has answered."""
        return {
            Source.TABLE: self._from_table,
            Source.LEARNED: self._from_learned,
            Source.PLAN: self._from_plan,
            Source.NONE: self._from_none,
            Source.ABROAD: self._from_abroad,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How many ported numbers are known from where."""
        return {"file": len(self._file), "api": len(self.by_hand), "learned": len(self.learned)}

    def replace_plan(self, plan: NumberPlan) -> None:
        """Go by another plan from now on. It was read whole before: nothing is half replaced."""
        self._plan = plan

    def replace_file(self, table: PortTable) -> None:
        """Go by another table of ported numbers from now on; what was added by hand stays."""
        self._file = table

    def lookup(self, number: Number) -> PlanEntry:
        """The network that serves `number` now, and its kind by the plan."""
        entry = self._plan.lookup(number)
        if not number.mainland:
            self._from_abroad += 1
            return entry
        if _is_portable(entry):
            network = self.by_hand.get(number.e164) or self._file.get(number.e164)
            if network is not None:
                self._from_table += 1
                return _ENTRIES[network.value][entry.kind.value]
            network = self.learned.get(number.e164)
            if network is not None:
                self._from_learned += 1
                return _ENTRIES[network.value][entry.kind.value]
        if entry.network is Network.UNKNOWN:
            self._from_none += 1
        else:
            self._from_plan += 1
        return entry

    def network_of(self, e164: str) -> Network:
        """The network that serves a number in E.164 now: for messages accepted before. Not counted."""
        entry = self._plan.lookup(_number(e164))
        if entry.network is Network.OTHER or not _is_portable(entry):
            return entry.network
        return self.by_hand.get(e164) or self._file.get(e164) or self.learned.get(e164) or entry.network

    def learn(self, e164: str, network: Network, *, at: Milliseconds) -> list[str] | None:
        """A receipt said that this network serves a number. The numbers forgotten for it; None when it cannot be."""
        number = _number(e164)
        if not number.mainland or network not in PORTED_TO or not _is_portable(self._plan.lookup(number)):
            return None
        return self.learned.learn(e164, network, at=at)


def _is_portable(entry: PlanEntry) -> bool:
    """Whether a mainland number can be taken along to another network."""
    return entry.kind is Kind.MOBILE or entry.kind is Kind.DATA


def _number(e164: str) -> Number:
    return Number(e164, mainland=e164.startswith("+86"))
