"""To whom: the number is normalised and must be one that short messages can reach."""

from typing import Final, Protocol

from gateway.numbers import CHINESE_FAULTS, InvalidNumber, Kind, Number, PlanEntry, normalise
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

# Thirteen-digit IoT numbers and satellite terminals cannot be reached through service numbers.
UNREACHABLE_KINDS: Final = frozenset({Kind.IOT, Kind.SATELLITE})


class Lookup(Protocol):
    """The number plan, or the plan corrected by what is known of ported numbers."""

    def lookup(self, number: Number) -> PlanEntry: ...


class NumberStage:
    """Complete the candidate with its number and network, or refuse it as `invalid_number`."""

    name = "number"

    def __init__(self, plan: Lookup, *, refused_kinds: frozenset[Kind] = UNREACHABLE_KINDS) -> None:
        self._plan = plan
        self._refused_kinds = refused_kinds

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        try:
            number = normalise(candidate.draft.to)
        except InvalidNumber as invalid:
            return Refusal(
                Reason.INVALID_NUMBER,
                f"This number cannot be used: {invalid.reason}",
                chinese=f"该号码无法使用：{CHINESE_FAULTS[invalid.reason]}。",
            )
        entry = self._plan.lookup(number)
        if entry.kind in self._refused_kinds:
            return Refusal(
                Reason.INVALID_NUMBER,
                f"Numbers of the kind {entry.kind} are not reached by short messages.",
                {"kind": str(entry.kind)},
                chinese=f"{entry.kind} 类号码无法接收短信。",
            )
        candidate.number = number
        candidate.network = entry.network
        return None
