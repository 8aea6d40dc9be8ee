"""What is decided of a submit_sm: how it is answered, what becomes of it, and which receipts it wants. Pure."""

from typing import Final

from gateway.smpp import CommandStatus, EsmClass, MessageState, RegisteredDelivery, SubmitSm, TlvTag, find_tlv
from gateway.text import split_header
from simulator.dice import Dice, Turns
from simulator.outcomes import DELIVERED, SPECIAL_BEGINNING, Chances, Outcome, is_special, special_outcome
from simulator.rules import Rules
from simulator.scenario import Scenario

# Plain integers: an operator of an IntFlag costs as much as ten of theirs, and this is on the path of every message.
_FINAL_RECEIPT: Final = 0x03
_RECEIPT_ON_FAILURE: Final = int(RegisteredDelivery.RECEIPT_ON_FAILURE)
_RECEIPT_ON_SUCCESS: Final = int(RegisteredDelivery.RECEIPT_ON_SUCCESS)
_INTERMEDIATE: Final = int(RegisteredDelivery.INTERMEDIATE_NOTIFICATION)


class Decisions:
    """Decides each submit by seed, destination and the how-manieth submit it is, and by nothing else."""

    def __init__(self, seed: int, scenario: Scenario, *, destinations_limit: int) -> None:
        self.dice: Final = Dice(seed)
        self._turns = Turns(destinations_limit)
        self._special_turns = Turns(destinations_limit)
        self._ruled_turns = Turns(destinations_limit)
        self.change(scenario)

    def change(self, scenario: Scenario) -> None:
        """Decide by another scenario from now on."""
        self._chances: Chances = scenario.outcomes
        self._all_delivered = scenario.outcomes.are_certain
        self._rules = Rules(scenario.rule) if scenario.rule else None

    def forget(self) -> None:
        """Begin every count of submits again."""
        self._turns.clear()
        self._special_turns.clear()
        self._ruled_turns.clear()

    def decide(self, submit: SubmitSm, system_id: str = "") -> tuple[Outcome, int]:
        """Return what becomes of a submit of an account, and the how-manieth to its destination it is."""
        destination = submit.destination_addr
        turn = self._turns.next(destination)
        if self._rules is not None:
            outcome = self._ruled(self._rules, submit, system_id, turn)
            if outcome is not None:
                return outcome, turn
        if destination[-4:-2] == SPECIAL_BEGINNING and self._chances.special_numbers and is_special(destination):
            return special_outcome(destination, self._special_turns.next((destination, _content(submit)))), turn
        if not destination:
            return Outcome(refusal=CommandStatus.ESME_RINVDSTADR), turn
        if self._all_delivered:
            return DELIVERED, turn
        return self._chances.outcome(self.dice.roll(destination, turn)), turn

    def _ruled(self, rules: Rules, submit: SubmitSm, system_id: str, turn: int) -> Outcome | None:
        """Return what the first rule that holds for a submit asks for, if one does."""
        destination = submit.destination_addr
        matches = rules.matching(destination, submit.source_addr, system_id)
        if not matches:
            return None
        of_content = self._ruled_turns.next((destination, _content(submit)))
        for match in matches:
            rule = match.rule
            if rule.times and of_content > rule.times:
                continue
            if rule.share < 1 and self.dice.chance(f"rule {match.index}", destination, turn) >= rule.share:
                continue
            return match.outcome
        return None


def begins_message(submit: SubmitSm) -> bool:
    """Say whether a submit is a whole message, or the first part of one."""
    if submit.esm_class & EsmClass.UDHI:
        place, _ = split_header(submit.short_message)
        return place is None or place.number == 1
    number = find_tlv(submit.tlvs, TlvTag.SAR_SEGMENT_SEQNUM)
    return number is None or number == b"\x01"


def wants_receipt(registered_delivery: int, state: MessageState) -> bool:
    """Say whether a submit wants to hear of a final state. SMPP 3.4, section 5.2.17; success only is of 5.0."""
    wanted = registered_delivery & _FINAL_RECEIPT
    if wanted == _RECEIPT_ON_FAILURE:
        return state is not MessageState.DELIVERED
    if wanted == _RECEIPT_ON_SUCCESS:
        return state is MessageState.DELIVERED
    return wanted != 0


def wants_intermediate(registered_delivery: int, outcome: Outcome) -> bool:
    """Say whether a submit hears of the state on the way: it asks to, or its number does and it hears of anything."""
    if outcome.intermediate and registered_delivery & _FINAL_RECEIPT:
        return True
    return registered_delivery & _INTERMEDIATE != 0


def _content(submit: SubmitSm) -> object:
    """Return what tells one content from another: text and part, but not the reference, which a new try may change."""
    text = submit.short_message or find_tlv(submit.tlvs, TlvTag.MESSAGE_PAYLOAD)
    if submit.esm_class & EsmClass.UDHI:
        place, body = split_header(submit.short_message)
        if place is not None:
            return place.number, body
    return find_tlv(submit.tlvs, TlvTag.SAR_SEGMENT_SEQNUM), text
