"""Consent: who asked a sender to be left alone, and whom a carrier has blacklisted. One look into a set each.

An opt-out is from a sender: the signature, which accounts may share, or of messages without one the account, written
`@name`. It is from one category.
"""

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec

from gateway.message import Category, Message
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

Key = TypeVar("Key")

OWN: Final = "@"  # in front of the name of an account that stands in for the signature; no signature has it

_OPTED_OUT: Final = Refusal(
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


class NumberSets(Generic[Key]):
    """Numbers (E.164) by some key, held as whole numbers: about 60 octets each, and exact."""

    def __init__(self) -> None:
        self._sets: dict[Key, set[int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._sets.values()))

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
        self._numbers: NumberSets[tuple[str, Category]] = NumberSets()
        for scope in scopes:
            self.add(scope)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, scope: Scope) -> bool:
        return self._numbers.has((scope.sender, scope.category), scope.number)

    def add(self, scope: Scope) -> bool:
        """From now on. False when it was so before."""
        return self._numbers.add((scope.sender, scope.category), scope.number)

    def discard(self, scope: Scope) -> bool:
        """No more. False when it was not so."""
        return self._numbers.discard((scope.sender, scope.category), scope.number)

    def has(self, message: Message) -> bool:
        """Whether the receiver of a message wants none of these from its sender."""
        return self._numbers.has((message.signature or OWN + message.account, message.category), message.to)


class Suppressed:
    """Whom a carrier has blacklisted: it would only refuse them again."""

    def __init__(self) -> None:
        self._numbers: NumberSets[str] = NumberSets()

    def __len__(self) -> int:
        return len(self._numbers)

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
        sender = sender_of(candidate.signature, candidate.account.name)
        if Scope(sender, candidate.to, candidate.draft.category) in self._opt_outs:
            return _OPTED_OUT
        return None
