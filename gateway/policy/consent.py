"""Consent: who asked a sender to be left alone, and whom a carrier has blacklisted. One look into a set each.

An opt-out is from a sender: the signature, which accounts may share, or of messages without one the account, written
`@name`; or it is from everyone. It is from one category.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

import msgspec

from gateway.message import Category
from gateway.policy.candidate import Candidate
from gateway.policy.signature import signature_fault
from gateway.policy.verdict import Reason, Refusal

Key = TypeVar("Key")

OWN: Final = "@"  # in front of the name of an account that stands in for the signature; no signature has it
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
EVERYONE: Final = ""  # as the sender of an opt-out: all of them

OPTED_OUT: Final = Refusal(
    Reason.OPTED_OUT,
    "The receiver has asked not to get such messages from this sender.",
    chinese="接收方已退订该发送方的此类短信。",
)


class Scope(msgspec.Struct, frozen=True):
    """What somebody opted out of."""

    sender: str
    number: str  # E.164
    category: Category


def sender_of(signature: str, account: str) -> str:
    """Whom a receiver sees as the sender."""
    return signature or OWN + account


def sender_fault(sender: str) -> str | None:
    """What is wrong with a sender that is written down; None when nothing is."""
    if sender.startswith(OWN):
        return None if _ACCOUNT.fullmatch(sender[1:]) else f"must be the name of an account behind {OWN}"
    fault = signature_fault(sender)
    return None if fault is None else f"must be a signature without 【】 ({fault}), or {OWN} and the name of an account"


class NumberSets(Generic[Key]):
    """Numbers (E.164) by some key, held as whole numbers: about 60 octets each, and exact."""

    def __init__(self) -> None:
        self.sets: dict[Key, set[int]] = {}  # none of them empty: for those who look often

    def __len__(self) -> int:
        return sum(map(len, self.sets.values()))

    def has(self, key: Key, number: str) -> bool:
        numbers = self.sets.get(key)
        return numbers is not None and int(number) in numbers

    def add(self, key: Key, number: str) -> bool:
        """False when it was there."""
        numbers = self.sets.setdefault(key, set())
        before = len(numbers)
        numbers.add(int(number))
        return len(numbers) > before

    def discard(self, key: Key, number: str) -> bool:
        """False when it was not there."""
        if not self.has(key, number):
            return False
        numbers = self.sets[key]
        numbers.remove(int(number))
        if not numbers:
            del self.sets[key]
        return True


class OptOuts:
    """Who has opted out."""

    def __init__(self, scopes: Iterable[Scope] = ()) -> None:
        self._numbers: dict[Category, NumberSets[str]] = {category: NumberSets() for category in Category}
        # For those who look often. By category first: of most there is nothing to look for, and one look says so.
        self.by_sender = {category: numbers.sets for category, numbers in self._numbers.items()}
        for scope in scopes:
            self.add(scope)

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values()))

    def __contains__(self, scope: Scope) -> bool:
        return self._numbers[scope.category].has(scope.sender, scope.number)

    def add(self, scope: Scope) -> bool:
        """From now on. False when it was so before."""
        return self._numbers[scope.category].add(scope.sender, scope.number)

    def discard(self, scope: Scope) -> bool:
        """No more. False when it was not so."""
        return self._numbers[scope.category].discard(scope.sender, scope.number)

    def bar(self, signature: str, account: str, number: str, category: Category) -> bool:
        """Whether somebody wants none of these from this sender, or from anybody."""
        by_sender = self.by_sender[category]
        return bool(by_sender) and are_barred(by_sender, sender_of(signature, account), int(number))


def are_barred(by_sender: Mapping[str, set[int]], sender: str, number: int) -> bool:
    """Whether a number is among those of a sender, or of everyone."""
    own = by_sender.get(sender)
    if own is not None and number in own:
        return True
    everyone = by_sender.get(EVERYONE)
    return everyone is not None and number in everyone


class Suppressed:
    """Whom a carrier has blacklisted: it would only refuse them again."""

    def __init__(self) -> None:
        self._numbers: NumberSets[str] = NumberSets()
        self.by_carrier = self._numbers.sets  # for those who look often

    def __len__(self) -> int:
        return len(self._numbers)

    def __bool__(self) -> bool:
        return bool(self.by_carrier)

    def add(self, carrier: str, number: str) -> bool:
        """False when it was there."""
        return self._numbers.add(carrier, number)

    def discard(self, carrier: str, number: str) -> bool:
        """False when it was not there."""
        return self._numbers.discard(carrier, number)

    def has(self, carrier: str, number: str) -> bool:
        return self._numbers.has(carrier, number)


class ConsentStage:
    """Refuse what the receiver does not want."""

    name = "consent"

    def __init__(self, opt_outs: OptOuts) -> None:
        self._opt_outs = opt_outs

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        barred = self._opt_outs.bar(candidate.signature, candidate.account.name, candidate.to, candidate.draft.category)
        return OPTED_OUT if barred else None
