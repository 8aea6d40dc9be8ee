"""Every message of an open load accounted for: what was sent, answered, told and taken off the wire. Pure.

Four arrays with an octet or a number a message, so that millions of them fit.
"""

from array import array
from collections import Counter
from enum import IntEnum
from typing import Final

import msgspec

from loadtest.answers import FINAL, Result
from loadtest.control import Submitted
from loadtest.supply import Request

_NATIONAL: Final = 100_000_000_000  # above the digits of a mainland number is its country code
_PARTS: Final = 256  # of one message at most, so that a part has a number of its own

# Numbered by place; 0 is not final.
ENDINGS: Final = ("", *sorted(FINAL))
_ENDING_NUMBERS: Final = {f"message.{status}": n for n, status in enumerate(ENDINGS) if status}


class Answer(IntEnum):
    """What the answer to its request made of a message."""

    NONE = 0  # none yet
    ACCEPTED = 1
    REFUSED = 2  # by a rule
    TURNED_AWAY = 3  # 429 or 503: the whole request, for now
    FAILED = 4  # another status, or no answer at all: whether it was accepted is not known
    UNSENT = 5  # too many requests were open already


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all messages: accepted = delivered + ended otherwise + unfinished, of those whose answer came."""

    planned: int  # that were due
    accepted: int
    refused: int
    turned_away: int
    failed: int
    unsent: int
    delivered: int  # accepted and, as the last event about them says, delivered
    ended_otherwise: int  # final, and not delivered: failed, expired, cancelled or unknown
    unfinished: int  # accepted, and not final by the end
    lost: int  # accepted, not final, and not every part of them taken by the SMSC: of an interrupted run, still waiting
    contradicted: int  # refused or turned away, and told to be final all the same
    strangers: int  # events about messages that were never sent
    told_again: int  # events of one final state after the first; allowed, for callbacks come at least once
    corrected: int  # told to be another final state than before


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """What the SMSC took, against what was accepted."""

    parts: int  # taken
    missing_parts: int  # of messages that were told to be delivered
    repeated_parts: int
    disordered_parts: int
    foreign_parts: int  # to numbers that nobody sent to


class Accounting:
    """Takes in what happens, in any order. Messages are known by their place in the load."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.due = array("d")
        self.phones = array("Q")
        self.kinds = bytearray()
        self._parts = bytearray()
        self._answers = bytearray()
        self._endings = bytearray()
        self._strangers = self._told_again = self._corrected = 0
        self.ended = 0  # accepted or not, told to be final
        self.answers: Counter[Answer] = Counter()

    @property
    def accepted(self) -> int:
        """How many messages were accepted so far."""
        return self.answers[Answer.ACCEPTED]

    def take_request(self, request: Request, due: float) -> range:
        """A request was due. Returns the places of its messages."""
        first = len(self.due)
        self.due.extend([due] * request.size)
        self.phones.extend(request.phones)
        self.kinds += request.kinds
        self._parts += request.parts
        self._answers += bytes(request.size)
        self._endings += bytes(request.size)
        return range(first, first + request.size)

    def take_answer(self, places: range, answer: Answer) -> None:
        """All messages of a request have this answer."""
        self._answers[places.start : places.stop] = bytes([answer]) * len(places)
        self.answers[answer] += len(places)

    def take_results(self, places: range, results: list[Result]) -> None:
        """Each message of a request has an answer of its own, in order; those that have none failed."""
        for place, result in zip(places, results, strict=False):
            answer = Answer.REFUSED if result.error is not None else Answer.ACCEPTED
            self._answers[place] = answer
            self.answers[answer] += 1
        if len(results) < len(places):
            self.take_answer(places[len(results) :], Answer.FAILED)

    def take_event(self, client_ref: str | None, kind: str) -> int | None:
        """The application was told. Returns the place of a message that is now final and was not."""
        place = self.place_of(client_ref)
        if place is None:
            self._strangers += 1
            return None
        return place if self._take(place, _ENDING_NUMBERS.get(kind, 0)) else None

    def take_ending(self, place: int, status: str) -> bool:
        """A message came into a final state. Returns whether it had none before."""
        return self._take(place, ENDINGS.index(status))

    def take_strangers(self, count: int) -> None:
        """So much was told of what was never sent."""
        self._strangers += count

    def _take(self, place: int, ending: int) -> bool:
        before = self._endings[place]
        if not ending:
            return False
        self._endings[place] = ending
        if not before:
            self.ended += 1
            return True
        if before == ending:
            self._told_again += 1
        else:
            self._corrected += 1
        return False

    def place_of(self, client_ref: str | None) -> int | None:
        """Return the place of the message with this client_ref, or None where this load sent none such."""
        if client_ref is None or not client_ref.startswith(self._tag):
            return None
        digits = client_ref[len(self._tag) :]
        place = int(digits) if digits.isdecimal() else len(self.due)
        return place if place < len(self.due) else None

    def account(self, wire: "WireAudit | None" = None) -> Account:
        """Return what became of all; what is lost shows only against the SMSC."""
        both = Counter(zip(self._answers, self._endings, strict=True))
        ended = Counter[str]()
        for (answer, ending), count in both.items():
            if answer in {Answer.ACCEPTED, Answer.FAILED} and ending:
                ended[ENDINGS[ending]] += count
        taken = self.answers
        return Account(
            planned=len(self.due),
            accepted=taken[Answer.ACCEPTED],
            refused=taken[Answer.REFUSED],
            turned_away=taken[Answer.TURNED_AWAY],
            failed=taken[Answer.FAILED] + self._answers.count(Answer.NONE),
            unsent=taken[Answer.UNSENT],
            delivered=ended["delivered"],
            ended_otherwise=ended.total() - ended["delivered"],
            unfinished=both[Answer.ACCEPTED, 0],
            lost=0 if wire is None else sum(not wire.has_all(place) for place in self._unfinished()),
            contradicted=sum(
                count
                for (answer, ending), count in both.items()
                if ending and answer in {Answer.REFUSED, Answer.TURNED_AWAY, Answer.UNSENT}
            ),
            strangers=self._strangers,
            told_again=self._told_again,
            corrected=self._corrected,
        )

    def parts_of(self, place: int) -> int:
        """Return how many parts a message makes."""
        return self._parts[place]

    def delivered(self) -> list[int]:
        """Return the places of the messages that were told to be delivered."""
        number = ENDINGS.index("delivered")
        return [place for place, ending in enumerate(self._endings) if ending == number]

    def _unfinished(self) -> list[int]:
        pairs = enumerate(zip(self._answers, self._endings, strict=True))
        return [place for place, (answer, ending) in pairs if answer == Answer.ACCEPTED and not ending]


class WireAudit:
    """The SMSC's journal against the accounting: each part of each message once, and in order."""

    def __init__(self, accounting: Accounting) -> None:
        self._accounting = accounting
        self._places: dict[int, list[int]] = {}
        for place, phone in enumerate(accounting.phones):
            self._places.setdefault(phone, []).append(place)
        self._taken: Counter[int] = Counter()
        self._latest: dict[tuple[int, int], int] = {}
        self._disordered = 0

    def take_submit(self, submit: Submitted) -> int | None:
        """A submit_sm that the SMSC took, in the order of its journal.

        Returns the place of its message if it is the first part of it, and the only message to its number.
        """
        phone = int(submit.phone.removeprefix("+") or 0) % _NATIONAL
        number = 1 if submit.part is None else submit.part.number
        self._taken[phone * _PARTS + number] += 1
        if submit.part is not None:
            message = (phone, submit.part.reference)
            if number < self._latest.get(message, 0):
                self._disordered += 1
            else:
                self._latest[message] = number
        places = self._places.get(phone, [])
        first = number == 1 and self._taken[phone * _PARTS + 1] == 1
        return places[0] if first and len(places) == 1 else None

    def has_all(self, place: int) -> bool:
        """Say whether every part of a message was taken."""
        phone = self._accounting.phones[place]
        return all(self._taken[phone * _PARTS + part] for part in range(1, self._accounting.parts_of(place) + 1))

    def findings(self) -> Wire:
        """Return what does not fit."""
        planned: Counter[int] = Counter()
        for phone, places in self._places.items():
            for place in places:
                planned.update(range(phone * _PARTS + 1, phone * _PARTS + 1 + self._accounting.parts_of(place)))
        told: Counter[int] = Counter()
        for place in self._accounting.delivered():
            start = self._accounting.phones[place] * _PARTS + 1
            told.update(range(start, start + self._accounting.parts_of(place)))
        foreign = sum(count for key, count in self._taken.items() if key // _PARTS not in self._places)
        return Wire(
            parts=self._taken.total(),
            missing_parts=sum(max(0, count - self._taken[key]) for key, count in told.items()),
            repeated_parts=sum(max(0, count - planned[key]) for key, count in self._taken.items()) - foreign,
            disordered_parts=self._disordered,
            foreign_parts=foreign,
        )
