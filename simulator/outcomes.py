"""What becomes of a submit: a table of numbers that ask for something special, and chance for the rest. Pure."""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from gateway.smpp import CommandStatus, MessageState
from simulator.checking import BrokenRule
from simulator.dice import Roll
from simulator.distributions import Delay


class Answer(Enum):
    """What the sender sees of its submit_sm; everything but IGNORED processes the message."""

    NORMAL = "answered"
    AFTER_RECEIPT = "answered after the receipt"
    IGNORED = "not answered and not processed"
    LOST = "processed, and its answer lost"
    RESET = "processed, and the connection reset before the answer"
    GARBAGE = "answered, and octets that are no PDU after the answer"
    WRONG_SEQUENCE = "processed, and answered under a sequence number that was never sent"
    HALF = "processed, and the connection reset in the middle of the answer"
    STUCK = "processed, and the bind silent from the middle of the answer on"
    SILENT = "processed, and the bind silent from before the answer on"
    UNBIND = "answered, and the session ended with an unbind"
    TOO_SHORT = "processed, and answered with a command_length shorter than a header"
    TOO_LONG = "processed, and answered with a command_length longer than the answer"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one submit.

    `refusal` is the command_status of its answer; when that is not 0 there is nothing else. `copies` is how often the
    receipt comes, and a time that is None is as the scenario has it. With `late` it comes `receipts.late_seconds` late,
    with `overtaken` `receipts.reorder_seconds`. `reply` is what the subscriber answers.
    """

    refusal: int = CommandStatus.ESME_ROK
    answer: Answer = Answer.NORMAL
    state: MessageState = MessageState.DELIVERED
    error: str = "000"
    intermediate: bool = False
    delay_seconds: Delay | None = None
    latency_seconds: Delay | None = None
    copies: int = 1
    altered_id: bool = False
    other_bind: bool = False
    late: bool = False
    overtaken: bool = False
    reply: str = ""


class Special(msgspec.Struct, frozen=True, kw_only=True):
    """What a number asks for: `first` for the first submit of a content to it, `then` for the later ones."""

    meaning: str
    then: Outcome
    first: Outcome | None = None


DELIVERED: Final = Outcome()

# By stat, as receipts spell the final states (SMPP 3.4, appendix B), with the error code that goes with it here.
BY_STAT: Final[Mapping[str, Outcome]] = {
    "DELIVRD": DELIVERED,
    "UNDELIV": Outcome(state=MessageState.UNDELIVERABLE, error="001"),
    "EXPIRED": Outcome(state=MessageState.EXPIRED, error="002"),
    "DELETED": Outcome(state=MessageState.DELETED, error="003"),
    "REJECTD": Outcome(state=MessageState.REJECTED, error="004"),
    "UNKNOWN": Outcome(state=MessageState.UNKNOWN, error="005"),
    "NONE": Outcome(copies=0),
}


# What a share of the submits may suffer beside their outcome, by the name that a scenario calls it.
FAULTS: Final[Mapping[str, Mapping[str, object]]] = {
    "receipt-first": {"answer": Answer.AFTER_RECEIPT, "delay_seconds": 0.0},
    "receipt-twice": {"copies": 2},
    "receipt-elsewhere": {"other_bind": True},
    "receipt-altered": {"altered_id": True},
    "receipt-intermediate": {"intermediate": True},
    "receipt-reordered": {"overtaken": True},
    "receipt-late": {"late": True},
    "not-answered": {"answer": Answer.IGNORED},
    "answer-lost": {"answer": Answer.LOST},
    "reset": {"answer": Answer.RESET},
    "garbage": {"answer": Answer.GARBAGE},
    "wrong-sequence": {"answer": Answer.WRONG_SEQUENCE},
    "half-answer": {"answer": Answer.HALF},
    "half-answer-silence": {"answer": Answer.STUCK},
    "silence": {"answer": Answer.SILENT},
    "unbind": {"answer": Answer.UNBIND},
    "length-too-short": {"answer": Answer.TOO_SHORT},
    "length-too-long": {"answer": Answer.TOO_LONG},
}


@lru_cache(maxsize=1024)
def faults_of(outcome: Outcome) -> tuple[str, ...]:
    """Return the names of the faults that a submit with this outcome suffers."""
    if outcome.refusal:
        return ()
    return tuple(
        name
        for name, changes in FAULTS.items()
        if all(getattr(outcome, what) == value for what, value in changes.items())
    )


def _always(meaning: str, outcome: Outcome) -> Special:
    return Special(meaning=meaning, then=outcome)


def _once(meaning: str, outcome: Outcome) -> Special:
    return Special(meaning=meaning, first=outcome, then=DELIVERED)


# By the last four digits. 0030 to 0099 are kept for later ones; until then they are delivered.
SPECIAL: Final[Mapping[str, Special]] = {
    "0000": _always("receipt DELIVRD at once", Outcome(delay_seconds=0.0)),
    "0001": _always("receipt UNDELIV, err 001", BY_STAT["UNDELIV"]),
    "0002": _always("receipt EXPIRED, err 002", BY_STAT["EXPIRED"]),
    "0003": _always("receipt DELETED, err 003", BY_STAT["DELETED"]),
    "0004": _always("receipt REJECTD, err 004", BY_STAT["REJECTD"]),
    "0005": _always("receipt UNKNOWN, err 005", BY_STAT["UNKNOWN"]),
    "0006": _always("accepted, and no receipt ever", BY_STAT["NONE"]),
    "0007": _always("receipt ENROUTE, then DELIVRD", Outcome(intermediate=True)),
    "0008": _always(
        "the receipt comes before the submit_sm_resp", Outcome(answer=Answer.AFTER_RECEIPT, delay_seconds=0.0)
    ),
    "0009": _always("the receipt comes twice", Outcome(copies=2)),
    "0010": _always("refused every time, ESME_RINVDSTADR", Outcome(refusal=CommandStatus.ESME_RINVDSTADR)),
    "0011": _once("the first is refused, ESME_RTHROTTLED", Outcome(refusal=CommandStatus.ESME_RTHROTTLED)),
    "0012": _once("the first is refused, ESME_RMSGQFUL", Outcome(refusal=CommandStatus.ESME_RMSGQFUL)),
    "0013": _once("the first is refused, ESME_RSYSERR", Outcome(refusal=CommandStatus.ESME_RSYSERR)),
    "0014": _once("the first is neither answered nor processed", Outcome(answer=Answer.IGNORED)),
    "0015": _once("the first is processed and gets its receipt, its answer is lost", Outcome(answer=Answer.LOST)),
    "0016": _once(
        "the connection is reset when the first is processed, before its answer", Outcome(answer=Answer.RESET)
    ),
    "0017": _once("after the answer to the first come octets that are no PDU", Outcome(answer=Answer.GARBAGE)),
    "0018": _always("the receipt spells the message id in another case, with leading zeros", Outcome(altered_id=True)),
    "0019": _always("the receipt comes on another bind of the account, when there is one", Outcome(other_bind=True)),
    "0020": _always("receipt DELIVRD 5 seconds after the submit", Outcome(delay_seconds=5.0)),
    "0021": _once(
        "the first is answered under a sequence number that was never sent", Outcome(answer=Answer.WRONG_SEQUENCE)
    ),
    "0022": _once("the connection is reset in the middle of the answer to the first", Outcome(answer=Answer.HALF)),
    "0023": _once("the bind falls silent in the middle of the answer to the first", Outcome(answer=Answer.STUCK)),
    "0024": _once(
        "the bind falls silent when the first is processed, before its answer", Outcome(answer=Answer.SILENT)
    ),
    "0025": _once("the first is answered, and then the session is unbound", Outcome(answer=Answer.UNBIND)),
    "0026": _once("the answer to the first says that it is shorter than a header", Outcome(answer=Answer.TOO_SHORT)),
    "0027": _once("the answer to the first says that it is longer than it is", Outcome(answer=Answer.TOO_LONG)),
    "0028": _always("receipt DELIVRD, overtaken by the receipts of a second", Outcome(overtaken=True)),
    "0029": _always("receipt DELIVRD, and the subscriber replies TD", Outcome(reply="TD")),
}


# How the last four digits of all of them begin.
SPECIAL_BEGINNING: Final = "00"


def is_special(destination: str) -> bool:
    """Say whether `destination` asks for its outcome: it ends in 0000 to 0099."""
    return destination[-4:-2] == SPECIAL_BEGINNING and destination[-2:].isdecimal()


def special_outcome(destination: str, turn: int) -> Outcome:
    """Return what the number asks for, at the `turn`-th submit (from 1) of the same content to it."""
    special = SPECIAL.get(destination[-4:])
    if special is None:
        return DELIVERED
    return special.first if turn == 1 and special.first is not None else special.then


ERROR_CODE_RULE: Final = "an error code of 1 to 10 printable characters without spaces"


def is_error_code(text: str) -> bool:
    """Say whether `text` can stand after `err:` in a receipt."""
    return 1 <= len(text) <= 10 and text.isascii() and text.isprintable() and " " not in text


@lru_cache(maxsize=1024)
def outcome_of(name: str) -> Outcome:
    """Return what a name in `mix` stands for: a stat of BY_STAT, and perhaps an error code after a slash."""
    stat, slash, error = name.partition("/")
    return msgspec.structs.replace(BY_STAT[stat], error=error) if slash else BY_STAT[stat]


Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Chances(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the numbers fare that ask for nothing: shares of all, 0 to 1.

    `mix` is by stat of the receipt, NONE for no receipt, or by stat and error code as in "UNDELIV/MK:0014"; what it
    leaves to 1 is DELIVRD. `errors` is by name of command_status; what it leaves to 1 is accepted. `faults` is by name
    in FAULTS; what it leaves to 1 suffers none.
    With `special_numbers` off all numbers are of this kind.
    """

    special_numbers: bool = True
    mix: dict[str, Share] = {}
    errors: dict[str, Share] = {}
    faults: dict[str, Share] = {}

    def __post_init__(self) -> None:
        for name in self.mix:
            _, slash, error = name.partition("/")
            if slash and not is_error_code(error):
                raise BrokenRule(f"mix.{name}", f"must have {ERROR_CODE_RULE} after the /")
        _check_shares("mix", self.mix, BY_STAT)
        _check_shares("errors", self.errors, CommandStatus.__members__)
        _check_shares("faults", self.faults, FAULTS)

    @property
    def are_certain(self) -> bool:
        """Whether nothing is left to chance, and everything is delivered."""
        return not (self.mix or self.errors or self.faults)

    def outcome(self, roll: Roll) -> Outcome:
        """Return what becomes of a submit with these rolls."""
        status = _pick(self.errors, roll.error)
        if status is not None:
            return Outcome(refusal=CommandStatus[status])
        stat = _pick(self.mix, roll.outcome)
        outcome = DELIVERED if stat is None else outcome_of(stat)
        fault = _pick(self.faults, roll.fault)
        return outcome if fault is None else msgspec.structs.replace(outcome, **FAULTS[fault])


def _check_shares(field: str, shares: Mapping[str, float], known: Mapping[str, object]) -> None:
    for name in shares:
        stem = name.partition("/")[0] if field == "mix" else name
        if stem not in known:
            raise BrokenRule(f"{field}.{name}", f"unknown; known here are {', '.join(known)}")
    if sum(shares.values()) > 1:
        raise BrokenRule(field, "must be shares that add up to at most 1")


def _pick(shares: Mapping[str, float], chance: float) -> str | None:
    """Return the name whose part of the line from 0 to 1 has `chance` on it; None past the last one."""
    for name, share in shares.items():
        chance -= share
        if chance < 0:
            return name
    return None
