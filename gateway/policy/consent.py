"""Consent: who asked a sender to be left alone, and whom a carrier has blacklisted. One look into a set each.

An opt-out is from a sender: the signature, which accounts may share, or of messages without one the account, written
`@name`; or it is from everyone. It is from one category.
"""

import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec

from gateway.message import Category, Message
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
        self._sets: dict[Key, set[int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._sets.values()))

    def __bool__(self) -> bool:
        return bool(self._sets)

    def has(self, key: Key, number: str) -> bool:
        numbers = self._sets.get(key)
        return numbers is not None and int(number) in numbers

    def add(self, key: Key, number: str) -> bool:
        """False when it was there."""
        numbers = self._sets.setdefault(key, set())
        before = len(numbers)
        numbers.add(int(number))
        return len(numbers) > before

    def discard(self, key: Key, number: str) -> bool:
        """False when it was not there."""
        if not self.has(key, number):
            return False
        numbers = self._sets[key]
        numbers.remove(int(number))
        if not numbers:
            del self._sets[key]
        return True


class OptOuts:
    """Who has opted out."""

    def __init__(self, scopes: Iterable[Scope] = ()) -> None:
        # By category first: of most there is nothing to look for, and that is seen at once.
        self._senders: dict[Category, NumberSets[str]] = {}
        for scope in scopes:
            self.add(scope)

    def __len__(self) -> int:
        return sum(map(len, self._senders.values()))

    def __contains__(self, scope: Scope) -> bool:
        senders = self._senders.get(scope.category)
        return senders is not None and senders.has(scope.sender, scope.number)

    def add(self, scope: Scope) -> bool:
        """From now on. False when it was so before."""
        return self._senders.setdefault(scope.category, NumberSets()).add(scope.sender, scope.number)

    def discard(self, scope: Scope) -> bool:
        """No more. False when it was not so."""
        senders = self._senders.get(scope.category)
        return senders is not None and senders.discard(scope.sender, scope.number)

    def bar(self, signature: str, account: str, number: str, category: Category) -> bool:
        """Whether somebody wants none of these from this sender, or from anybody."""
        senders = self._senders.get(category)
        if not senders:
            return False
        return senders.has(signature or OWN + account, number) or senders.has(EVERYONE, number)

    def has(self, message: Message) -> bool:
        """Whether the receiver of a message wants none of these from its sender."""
        senders = self._senders.get(message.category)
        if not senders:
            return False
        number = message.to
        return senders.has(message.signature or OWN + message.account, number) or senders.has(EVERYONE, number)


class Suppressed:
    """Whom a carrier has blacklisted: it would only refuse them again."""

    def __init__(self) -> None:
        self._numbers: NumberSets[str] = NumberSets()

    def __len__(self) -> int:
        return len(self._numbers)

    def __bool__(self) -> bool:
        return bool(self._numbers)

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
