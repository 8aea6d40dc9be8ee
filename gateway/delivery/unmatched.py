"""Receipts that no attempt has claimed yet: those that came before the answer, and those of nobody.

They are on disk before they are acknowledged; this is the memory of them, bounded in number and age.
"""

from collections import OrderedDict
from collections.abc import Iterator

from gateway.delivery.awaiting import canonical_receipt_id, digits, same_number
from gateway.delivery.settings import MessageIdForm
from gateway.message import Milliseconds, Record
from gateway.store.api import UnmatchedReceipt


class Unmatched:
    """The unclaimed receipts of one carrier, oldest first."""

    def __init__(self, *, form: MessageIdForm, limit: int) -> None:
        self._form = form
        self._limit = limit
        self._receipts: OrderedDict[int, UnmatchedReceipt] = OrderedDict()  # by a running number
        self._by_id: dict[str, list[int]] = {}
        self._by_source: dict[str, list[int]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._receipts)

    def add(self, receipt: UnmatchedReceipt) -> list[UnmatchedReceipt]:
        """Remember a receipt; return those that had to make room for it."""
        number = self._next
        self._next += 1
        self._receipts[number] = receipt
        self._by_id.setdefault(self._key(receipt), []).append(number)
        self._by_source.setdefault(digits(receipt.source), []).append(number)
        dropped = []
        while len(self._receipts) > self._limit:
            dropped.append(self._remove(next(iter(self._receipts))))
        return dropped

    def knows(self, e164: str) -> bool:
        """Whether any is about this number."""
        return next(self._about(e164), None) is not None

    def take_by_id(self, canonical_id: str, e164: str, *, since: Milliseconds) -> list[UnmatchedReceipt]:
        """Claim the receipts with this id, in its canonical spelling, about this number.

        Not those from before the submit: carriers reuse ids, and receipts of nobody wait here for long.
        """
        numbers = self._by_id.get(canonical_id)
        if numbers is None:
            return []
        receipts = [(number, self._receipts[number]) for number in numbers]
        wanted = [n for n, receipt in receipts if receipt.at >= since and same_number(e164, receipt.source)]
        return [self._remove(number) for number in wanted]

    def take_for_doubt(
        self, record: Record, reference: int, *, since: Milliseconds, source: str | None
    ) -> list[UnmatchedReceipt]:
        """Claim the receipt that must be of an attempt without an id, submitted at `since`.

        By its reference; or, with the source that the message left with, if it can be no other's.
        """
        for number in self._about(record.message.to):
            receipt = self._receipts[number]
            if receipt.reference:
                is_it = receipt.reference == reference
            else:
                is_it = source is not None and digits(receipt.destination) == digits(source)
            if is_it and receipt.at >= since:
                return [self._remove(number)]
        return []

    def take_older_than(self, at: Milliseconds) -> list[UnmatchedReceipt]:
        """Give up those that came before a time."""
        given_up = []
        for number, receipt in self._receipts.items():
            if receipt.at >= at:
                break
            given_up.append(number)
        return [self._remove(number) for number in given_up]

    def _about(self, e164: str) -> Iterator[int]:
        number = digits(e164)
        for key in (number, number.removeprefix("86")):
            yield from tuple(self._by_source.get(key, ()))

    def _remove(self, number: int) -> UnmatchedReceipt:
        receipt = self._receipts.pop(number)
        for index, key in ((self._by_id, self._key(receipt)), (self._by_source, digits(receipt.source))):
            index[key].remove(number)
            if not index[key]:
                del index[key]
        return receipt

    def _key(self, receipt: UnmatchedReceipt) -> str:
        return canonical_receipt_id(receipt.carrier_message_id, self._form)
