"""Numbers that were taken along to another network (携号转网): a table of millions, four octets each.

A row names a number in plain, or by its keyed hash: HMAC-SHA256 of the number in E.164 (`+8613800138000`), in
hexadecimal. A plain hash would hide nothing, for there are few numbers. Numbers are kept by their first four digits, in
sorted arrays of the rest and the network; hashes by their first bits, eight octets each.
"""

import csv
import hmac
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.numbers import InvalidNumber, Network, mask, normalise

MAXIMUM_ROWS: Final = 20_000_000
COLUMNS: Final = ("number", "network")
# Whom a number can be taken to. Its place here is what the table keeps: never reorder.
PORTED_TO: Final = (Network.CMCC, Network.CUCC, Network.CTCC, Network.CBN)

_NETWORK_BITS: Final = 3
_NETWORK_MASK: Final = (1 << _NETWORK_BITS) - 1
_CODES: Final = {network: code for code, network in enumerate(PORTED_TO)}
_HASH_DIGITS: Final = 64
_HASH_REST_BITS: Final = 52  # of the 64 that are kept; the others choose the shelf
_SUFFIX: Final = 7  # digits of a number behind the four that choose the shelf


class PortTableError(ValueError):
    """A table of ported numbers that cannot be used: line, value and rule. Numbers are masked."""


class PortTable:
    """Which network serves a number now. `key`: of the hashes; without one, a table has numbers in plain only."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._numbers: dict[str, array[int]] = {}
        self._hashes: dict[int, array[int]] = {}
        self._count = 0

    @classmethod
    def parse(cls, lines: Iterable[str], key: bytes = b"") -> "PortTable":
        """Read a CSV table with the columns number and network. Raises PortTableError."""
        table = cls(key)
        for shelf, row in _rows(lines, hashes=bool(key)):
            table._append(shelf, row)
        table._put_in_order()
        return table

    def __len__(self) -> int:
        return self._count

    def get(self, e164: str) -> Network | None:
        """The network of a mainland number in E.164; None when the table does not have it."""
        shelf = self._numbers.get(e164[3:7])
        if shelf is not None:
            wanted = int(e164[7:]) << _NETWORK_BITS
            at = bisect_left(shelf, wanted)
            if at < len(shelf):
                found = shelf[at] - wanted
                if found <= _NETWORK_MASK:
                    return PORTED_TO[found]
        return self._get_by_hash(e164) if self._hashes else None

    def put(self, key: str, network: Network) -> None:
        """Add a mainland number in E.164, or its keyed hash, or change its network: one of `PORTED_TO`."""
        shelf, wanted = self._place(key)
        at = bisect_left(shelf, wanted)
        if at < len(shelf) and shelf[at] >> _NETWORK_BITS == wanted >> _NETWORK_BITS:
            shelf[at] = wanted | _CODES[network]
        else:
            shelf.insert(at, wanted | _CODES[network])
            self._count += 1

    def remove(self, key: str) -> bool:
        """Forget a number, or a keyed hash, that stands here as such. False when it does not."""
        shelf, wanted = self._place(key)
        if _find(shelf, wanted) is None:
            return False
        del shelf[bisect_left(shelf, wanted)]
        self._count -= 1
        return True

    def _place(self, key: str) -> "tuple[array[int], int]":
        """The shelf that a number or a hash belongs to, and what is looked for there."""
        if len(key) == _HASH_DIGITS:
            shelf_of, wanted = _split_hash(key)
            return self._hashes.setdefault(shelf_of, array("Q")), wanted
        return self._numbers.setdefault(key[3:7], array("I")), int(key[7:]) << _NETWORK_BITS

    def _get_by_hash(self, e164: str) -> Network | None:
        shelf_of, wanted = _split_hash(hmac.digest(self._key, e164.encode(), "sha256").hex())
        shelf = self._hashes.get(shelf_of)
        code = _find(shelf, wanted) if shelf is not None else None
        return PORTED_TO[code] if code is not None else None

    def _append(self, shelf: str | int, row: int) -> None:
        if isinstance(shelf, str):
            numbers = self._numbers.get(shelf)
            if numbers is None:
                numbers = self._numbers[shelf] = array("I")
            numbers.append(row)
        else:
            self._hashes.setdefault(shelf, array("Q")).append(row)
        self._count += 1

    def _put_in_order(self) -> None:
        """Sort shelf by shelf: no step is long, so that a running gateway can take in a new table beside its work."""
        for prefix, numbers in self._numbers.items():
            ordered = self._numbers[prefix] = array("I", sorted(numbers))
            twice = _first_twice(ordered)
            if twice is not None:
                number = mask(f"+86{prefix}{twice >> _NETWORK_BITS:0{_SUFFIX}}")
                raise PortTableError(f"number = {number}: must not come twice")
        for shelf, hashes in self._hashes.items():
            self._hashes[shelf] = array("Q", sorted(hashes))
            if _first_twice(self._hashes[shelf]) is not None:
                raise PortTableError("a keyed hash must not come twice")


def parse_row(row: list[str], *, hashes: bool) -> tuple[str, Network]:
    """The number in E.164, or its hash, and the network of one row. Raises PortTableError, without the line."""
    if len(row) != len(COLUMNS):
        raise PortTableError(f"{len(row)} columns: must be {len(COLUMNS)}")
    written, network = row
    if network not in _CODES:
        raise PortTableError(f"network = {network[:20]}: must be one of {' '.join(PORTED_TO)}")
    if len(written) == _HASH_DIGITS:
        if not hashes:
            raise PortTableError("number is a keyed hash: numbers.ported_key must be set, or numbers be given in plain")
        if not all(digit in "0123456789abcdefABCDEF" for digit in written):
            raise PortTableError("number: a keyed hash must be 64 hexadecimal digits")
        return written.lower(), Network(network)
    try:
        number = normalise(written)
    except InvalidNumber as invalid:
        raise PortTableError(f"number: {invalid.reason}") from None
    if not number.mainland:
        raise PortTableError(f"number = {mask(number.e164)}: must be of mainland China")
    return number.e164, Network(network)


def read_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV table of ported numbers, each with its line. Raises PortTableError for a wrong heading."""
    reader = csv.reader(lines, strict=True)
    try:
        heading = next(reader, [])
        if [name.removeprefix("\ufeff") for name in heading] != [*COLUMNS]:
            raise PortTableError(f"line 1: columns: must be {','.join(COLUMNS)}")
        for count, row in enumerate(filter(None, reader), 1):
            if count > MAXIMUM_ROWS:
                raise PortTableError(f"line {reader.line_num}: a table has at most {MAXIMUM_ROWS} rows")
            yield reader.line_num, row
    except csv.Error as error:
        raise PortTableError(f"line {max(reader.line_num, 1)}: {error}") from None


def _rows(lines: Iterable[str], *, hashes: bool) -> Iterator[tuple[str | int, int]]:
    """Every row as the shelf that it belongs to, and what is kept there."""
    codes = _CODES
    for line, row in read_rows(lines):
        if len(row) == 2 and len(row[0]) == 11 and row[1] in codes:  # as nearly all are
            written = row[0]
            if written.isascii() and written.isdecimal() and written[0] == "1" and written[1] > "2":
                yield written[:4], int(written[4:]) << _NETWORK_BITS | codes[row[1]]  # type: ignore[index]
                continue
        try:
            number, network = parse_row(row, hashes=hashes)
        except PortTableError as error:
            raise PortTableError(f"line {line}: {error}") from None
        if len(number) == _HASH_DIGITS:
            shelf, rest = _split_hash(number)
            yield shelf, rest | codes[network]
        else:
            yield number[3:7], int(number[7:]) << _NETWORK_BITS | codes[network]


def _split_hash(hexadecimal: str) -> tuple[int, int]:
    """The shelf of a hash, and what is kept of it there: 64 bits in all, so that no other number has them too."""
    head = int(hexadecimal[:16], 16)
    return head >> _HASH_REST_BITS, (head & ((1 << _HASH_REST_BITS) - 1)) << _NETWORK_BITS


def _find(shelf: "array[int]", wanted: int) -> int | None:
    """The code beside `wanted`, whose own code is 0."""
    at = bisect_left(shelf, wanted)
    if at < len(shelf):
        found = shelf[at]
        if found >> _NETWORK_BITS == wanted >> _NETWORK_BITS:
            return found & _NETWORK_MASK
    return None


def _first_twice(ordered: "array[int]") -> int | None:
    before = -1
    for row in ordered:
        if row >> _NETWORK_BITS == before:
            return row
        before = row >> _NETWORK_BITS
    return None
