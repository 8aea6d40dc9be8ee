"""Opt-outs from a CSV file: all of it or nothing, also when the gateway is killed in the middle.

The file is checked whole before anything of it is kept. Then it is written to disk as it is, and worked through in
small commits, so that accepting goes on beside it; a start finishes what a crash left.
"""

import asyncio
import csv
import io
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from gateway.audit import Audit
from gateway.message import Category, Milliseconds
from gateway.numbers import InvalidNumber, mask, normalise
from gateway.opt_outs import OptOut, OptOutRegister, Source
from gateway.policy.consent import EVERYONE, Scope, sender_fault
from gateway.store.api import Store

TABLE: Final = "opt_out_imports"
MAX_FAULTS: Final = 20  # told of one file; whoever made more will find them after mending these
SLICE: Final = 100  # lines between two returns to the loop, and in a commit: some 1 ms
LONGEST_FIELD: Final = 256  # characters

_DIGITS: Final = re.compile(r"[+0-9]")
_COLUMNS: Final = ("to", "signature", "category")
_encode: Final = msgspec.msgpack.Encoder().encode


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with one line of a file. `value` is masked where it may be a number."""

    line: int
    column: str
    rule: str
    value: str


class ImportFaultsError(Exception):
    """A file of which nothing was taken."""

    def __init__(self, faults: list[LineFault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


class ImportBusyError(Exception):
    """Another file is being taken in."""


class Imported(msgspec.Struct, frozen=True):
    """What a file had. `added`: those that were not known."""

    lines: int
    added: int


class _Import(msgspec.Struct, frozen=True, array_like=True):
    """A file that was checked, and is being worked through."""

    at: Milliseconds
    who: str
    body: bytes


_decode: Final = msgspec.msgpack.Decoder(_Import).decode


class OptOutImport:
    """Takes in files, one at a time."""

    def __init__(self, register: OptOutRegister, store: Store, audit: Audit, clock: Callable[[], Milliseconds]) -> None:
        self._register = register
        self._store = store
        self._audit = audit
        self._clock = clock
        self._is_busy = False

    async def finish(self) -> None:
        """Finish what a crash interrupted, at a start. Raises StoreError."""
        for key, value in await self._store.entries(TABLE, limit=100):
            await self._work_through(key, _decode(value))

    async def take(self, body: bytes, *, who: str) -> Imported:
        """Take in a file, on behalf of an account; return when all of it is on disk.

        Raises ImportFaultsError, ImportBusyError and OptOutsFullError, when nothing was taken, and StoreError.
        """
        if self._is_busy:
            raise ImportBusyError
        self._is_busy = True
        try:
            await self.finish()  # what a failing disk interrupted
            self._register.check_room(await self._check(body))
            at = self._clock()
            key = f"{at:015}"
            started = _Import(at, who, body)
            await asyncio.shield(self._store.put_entries(TABLE, {key: _encode(started)}))
            imported = await self._work_through(key, started)
        finally:
            self._is_busy = False
        return imported

    async def _check(self, body: bytes) -> int:
        """How many opt-outs of a file are new. Raises ImportFaultsError."""
        faults: list[LineFault] = []
        new = 0
        for count, row in enumerate(_rows(body), 1):
            if isinstance(row, LineFault):
                faults.append(row)
                if len(faults) == MAX_FAULTS:
                    break
            else:
                new += row not in self._register
            if count % SLICE == 0:
                await asyncio.sleep(0)
        if faults:
            raise ImportFaultsError(faults)
        return new

    async def _work_through(self, key: str, started: _Import) -> Imported:
        lines = added = 0
        proof = OptOut(started.at, Source.IMPORT, started.who)
        rows = _scopes(started.body)
        while chunk := list(islice(rows, SLICE)):
            lines += len(chunk)
            new = {scope: proof for scope in chunk if scope not in self._register}
            added += len(new)
            commit = self._register.add(new)
            if commit is not None:
                await asyncio.shield(commit)
            else:
                await asyncio.sleep(0)
        noted = self._audit.note(started.who, "opt_out.import", why=f"{lines} lines, {added} new")
        await asyncio.shield(self._store.put_entries(TABLE, {key: None}))
        await asyncio.shield(noted)
        return Imported(lines, added)


def _scopes(body: bytes) -> Iterator[Scope]:
    """The opt-outs of a file that has no faults."""
    for row in _rows(body):
        assert isinstance(row, Scope), "it was checked before it was kept"
        yield row


def _rows(body: bytes) -> Iterator[Scope | LineFault]:
    """Every line of a file behind its first, read. Decoded as it goes: a whole text would take its size four times."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline=""), strict=True)
    columns: list[str] | None = None
    while True:
        try:
            row = next(lines, None)
        except UnicodeDecodeError:
            yield LineFault(_line_of_damage(body), "", "must be UTF-8", "")
            return
        except csv.Error as error:
            yield LineFault(lines.line_num, "", f"must be well-formed CSV ({error})", "")
            return
        if row is None:
            break
        if columns is None:
            columns = [name.strip() for name in row]
            if "to" not in columns or len(set(columns)) < len(columns) or not set(columns) <= set(_COLUMNS):
                rule = f"must name the columns: to, and where you have them {' and '.join(_COLUMNS[1:])}"
                yield LineFault(lines.line_num, "", rule, "")
                return
        elif row:
            yield _read(dict(zip(columns, row, strict=False)), len(row) - len(columns), lines.line_num)
    if columns is None:
        yield LineFault(1, "", "must have a first line with the names of the columns", "")


def _line_of_damage(body: bytes) -> int:
    """The first line that is not UTF-8."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return body.count(b"\n", 0, error.start) + 1
    raise AssertionError("it is UTF-8")


def _read(row: dict[str, str], excess: int, line: int) -> Scope | LineFault:
    """One line. `excess`: how many fields it has beyond its columns."""
    if excess > 0:
        return LineFault(line, "", "must not have more fields than the first line has names", "")
    written = row.get("to", "")
    try:
        number = normalise(written).e164
    except InvalidNumber as invalid:
        shown = mask("".join(_DIGITS.findall(written[:LONGEST_FIELD])))
        return LineFault(line, "to", f"must be a phone number: {invalid.reason}", shown)
    sender = row.get("signature", "").strip()
    fault = None if sender == EVERYONE else sender_fault(sender)
    if fault is not None:
        return LineFault(line, "signature", fault, "")
    category = row.get("category", "").strip() or Category.MARKETING
    if category not in _CATEGORIES:
        return LineFault(line, "category", f"must be one of {', '.join(Category)}, or empty for marketing", "")
    return Scope(sender, number, _CATEGORIES[category])


_CATEGORIES: Final = {str(category): category for category in Category}
