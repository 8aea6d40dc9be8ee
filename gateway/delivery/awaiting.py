"""Which attempts of one carrier await a receipt: the newest of them, in memory.

Found by the carrier's message id, or, for attempts that never got one, by destination and user_message_reference. What
is not here any more is on disk, and found there.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gateway.delivery.settings import MessageIdForm
from gateway.message import Message, PartStatus, Record

# How many attempts are known under one id, for there are carriers that give every message the same.
LONGEST_CHAIN: Final = 8
# How many without an id are known for one number.
MOST_DOUBTS: Final = 64


class Awaited(msgspec.Struct, gc=False):
    """One attempt: the k-th of part n. `older`: another with the same id, for carriers reuse ids."""

    record: Record
    n: int
    k: int
    older: "Awaited | None" = None

    @property
    def carrier_message_id(self) -> str:
        return self.record.state.parts[self.n].attempts[self.k].carrier_message_id

    @property
    def reference(self) -> int:
        return self.record.state.parts[self.n].attempts[self.k].reference


class Awaiting:
    """At most `limit` ids and as many numbers in doubt; past that the oldest go, and `on_evicted` is told.

    `source_of` is the source address that a message leaves with.
    """

    def __init__(
        self,
        *,
        form: MessageIdForm,
        limit: int,
        source_of: Callable[[Message], str],
        on_evicted: Callable[[Record], None],
    ) -> None:
        self._form = form
        self._limit = limit
        self._source_of = source_of
        self._on_evicted = on_evicted
        self._by_id: OrderedDict[str, Awaited] = OrderedDict()
        self._without_id: OrderedDict[str, list[Awaited]] = OrderedDict()  # by destination, digits only

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, record: Record, n: int, k: int) -> None:
        """An attempt got its id."""
        key = canonical_response_id(record.state.parts[n].attempts[k].carrier_message_id, self._form)
        newest = self._by_id.get(key)
        if newest is None:
            self._by_id[key] = Awaited(record, n, k)
            if len(self._by_id) > self._limit:
                self._evict([*_chain(self._by_id[next(iter(self._by_id))])])
            return
        chain = [*_chain(newest)]
        if not any(_is_of(awaited, record, n, k) for awaited in chain):
            self._by_id[key] = Awaited(record, n, k, newest)
            self._by_id.move_to_end(key)
            self._evict(chain[LONGEST_CHAIN - 1 :])

    def add_without_id(self, record: Record, n: int, k: int) -> None:
        """An attempt is in doubt: a receipt may yet say that it arrived."""
        doubtful = self._without_id.setdefault(digits(record.message.to), [])
        if not any(_is_of(awaited, record, n, k) for awaited in doubtful):
            doubtful.append(Awaited(record, n, k))
            self._evict(doubtful[:-MOST_DOUBTS])
        if len(self._without_id) > self._limit:
            self._evict(self._without_id[next(iter(self._without_id))])

    def find(self, receipt_id: str, destination: str) -> Awaited | None:
        """The attempt that a receipt with this id speaks of: the same spelling first, then the newest."""
        candidate = self._by_id.get(canonical_receipt_id(receipt_id, self._form))
        loose = None
        while candidate is not None:
            record = candidate.record
            if same_number(record.message.to, destination):
                if record.state.parts[candidate.n].attempts[candidate.k].carrier_message_id == receipt_id:
                    return candidate
                loose = loose or candidate
            candidate = candidate.older
        return loose

    def find_by_reference(self, reference: int, destination: str) -> Awaited | None:
        """The unanswered attempt that carried this user_message_reference to this number.

        All copies of a part carry the same: those whose id is not known yet come first.
        """
        found = [candidate for candidate in self._doubtful(destination) if candidate.reference == reference]
        return min(found, key=lambda candidate: bool(candidate.carrier_message_id), default=None)

    def find_only_doubt(self, destination: str, source: str) -> Awaited | None:
        """The attempt in doubt that a receipt with an unknown id must mean.

        That is, if all in doubt to its number, from the source that it went back to, are of one message.
        """
        found = [
            candidate
            for candidate in self._doubtful(destination)
            if candidate.record.state.parts[candidate.n].status is PartStatus.IN_DOUBT
            and digits(self._source_of(candidate.record.message)) == digits(source)
        ]
        if found and all(candidate.record is found[0].record for candidate in found):
            return found[0]
        return None

    def forget(self, record: Record) -> None:
        """Drop all attempts of a record."""
        for part in record.state.parts:
            for attempt in part.attempts:
                if attempt.carrier_message_id:
                    self._drop(canonical_response_id(attempt.carrier_message_id, self._form), record)
        if not self._without_id:
            return
        key = digits(record.message.to)
        doubtful = self._without_id.get(key)
        if doubtful is not None:
            left = [awaited for awaited in doubtful if awaited.record is not record]
            if left:
                self._without_id[key] = left
            else:
                del self._without_id[key]

    def _evict(self, awaited: list[Awaited]) -> None:
        """Let go of these, with all other attempts of their messages."""
        for each in awaited[:]:
            self.forget(each.record)
            self._on_evicted(each.record)

    def _drop(self, key: str, record: Record) -> None:
        newest = self._by_id.get(key)
        if newest is None:
            return
        if newest.older is None:  # as nearly all are
            if newest.record is record:
                del self._by_id[key]
            return
        left: Awaited | None = None
        for awaited in reversed([*_chain(newest)]):
            if awaited.record is not record:
                awaited.older, left = left, awaited
        if left is None:
            del self._by_id[key]
        else:
            self._by_id[key] = left

    def _doubtful(self, destination: str) -> Iterator[Awaited]:
        exact = digits(destination)
        for key in (exact, f"86{exact}"):  # a carrier may write its receipts without the country code
            yield from self._without_id.get(key, ())


def _chain(newest: Awaited) -> Iterator[Awaited]:
    awaited: Awaited | None = newest
    while awaited is not None:
        yield awaited
        awaited = awaited.older


def _is_of(awaited: Awaited, record: Record, n: int, k: int) -> bool:
    return awaited.record is record and (awaited.n, awaited.k) == (n, k)


def canonical_response_id(message_id: str, form: MessageIdForm) -> str:
    """One spelling for the ids that this carrier gives in responses and in receipts."""
    return _as_decimal(message_id) if form is MessageIdForm.HEX_IN_RESPONSE else _loose(message_id)


def canonical_receipt_id(message_id: str, form: MessageIdForm) -> str:
    """The same for the id in a receipt."""
    return _as_decimal(message_id) if form is MessageIdForm.HEX_IN_RECEIPT else _loose(message_id)


def spellings(receipt_id: str, form: MessageIdForm) -> tuple[str, ...]:
    """How the id of a receipt may have been spelt in the response: for looking it up on disk."""
    known = {receipt_id, _loose(receipt_id), receipt_id.upper(), receipt_id.lower()}
    loose = _loose(receipt_id)
    if form is MessageIdForm.HEX_IN_RECEIPT:
        known |= {_as_decimal(receipt_id)}
    elif form is MessageIdForm.HEX_IN_RESPONSE and loose.isdecimal():
        known |= {f"{int(loose):x}", f"{int(loose):X}"}
    for spelling in list(known):
        known |= {spelling.zfill(width) for width in (8, 10, 16, 20)}
    return tuple(sorted(known))


def same_number(e164: str, address: str) -> bool:
    """Whether an address in a receipt is this number: with or without country code, plus or zeros in front."""
    if e164[1:] == address:  # as most carriers write them
        return True
    ours, theirs = digits(e164), digits(address)
    return ours == theirs or (len(theirs) >= 7 and ours.endswith(theirs))


def digits(address: str) -> str:
    """An address without what stands in front of its country code, or of the number itself."""
    return address.removeprefix("+").lstrip("0")


def _loose(message_id: str) -> str:
    return message_id.lower().lstrip("0") or "0"


def _as_decimal(message_id: str) -> str:
    try:
        return str(int(message_id, 16))
    except ValueError:
        return _loose(message_id)
