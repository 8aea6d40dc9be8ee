"""The journal against somebody's records: what was lost, doubled, out of order, or ended otherwise than told. Pure.

Messages are known by their destination and text, and by the message ids that the records name. Where several records
have the same number, and the same text or a part of it, each has the copies that its ids name, and those that no record
names go to the records that have the fewest. `python -m simulator.ledger JOURNAL... RECORDS` compares files, or running
programs.
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from simulator.records import CannotRead, Record, read_journal, read_records

FAILED_STATES: Final = frozenset({"EXPIRED", "DELETED", "UNDELIV", "REJECTD"})
FINAL_STATES: Final = FAILED_STATES | {"DELIVRD", "UNKNOWN"}
KINDS: Final = ("lost", "duplicated", "misordered", "mis-stated", "unrecorded")

# Statuses whose messages must have been processed, every part; and those whose messages must not. With the others a
# part may have been refused, or its bytes may have left and nobody knows.
_SENT: Final = frozenset({"", "submitted", "delivered"})
_NOT_SENT: Final = frozenset({"held", "scheduled"})

# What may be told of a message whose receipts make it failed: its own DELETED ends a cancelled one, for example.
_FITTING: Final[Mapping[str, frozenset[str]]] = {
    "delivered": frozenset({"delivered"}),
    "failed": frozenset({"failed", "expired", "cancelled"}),
    "unknown": frozenset({"unknown"}),
}


class Copy(msgspec.Struct, frozen=True):
    """One submit that was processed: its place in the journals, its bind, its id and the last state that was told."""

    n: int
    bind: str
    message_id: str
    state: str


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with one message; `detail` says what, with the ids."""

    kind: str
    id: str
    to: str
    detail: str


class _Piece(msgspec.Struct, frozen=True):
    """One part as it was submitted: the `number`-th of `total`, with its text."""

    total: int
    number: int
    text: str


Parts = list[list[Copy]]  # of a message: the copies of each of its parts


class Ledger:
    """What one SMSC or several processed, by destination and part."""

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Take the lines of `GET /journal?text=1`, in order. Raises CannotRead for lines without texts."""
        lines = list(lines)
        states = _states_by_id(lines)
        self._pieces: defaultdict[str, dict[_Piece, list[Copy]]] = defaultdict(dict)
        for n, line in enumerate(lines, 1):
            if line["command"] != "submit_sm" or "taken_as" not in line:
                continue
            if "text" not in line:
                raise CannotRead("the journal has no texts: ask for it with text=1")
            part = line.get("part", {"total": 1, "number": 1})
            piece = _Piece(part["total"], part["number"], line["text"])
            message_id = line["taken_as"]
            state = states.get((line.get("smsc", ""), line["system_id"], message_id), "")
            copy = Copy(line.get("n", n), line["bind"], message_id, state)
            self._pieces[_plain_number(line["to"])].setdefault(piece, []).append(copy)

    def copies(self, record: Record) -> Parts:
        """Return, for each part of a record's message, every copy of it; one empty list if nothing of it came."""
        pieces = self._pieces.get(_plain_number(record.to), {})
        best: Parts = [[]]
        if record.text is not None:
            for total in sorted({piece.total for piece in pieces}):
                parts = _parts_of(record.text, total, pieces)
                if sum(map(bool, parts)) > sum(map(bool, best)):
                    best = parts
        if best == [[]] and record.message_ids:  # what was sent is not what is recorded: a text is hidden, or completed
            best = _parts_with(frozenset(record.message_ids), pieces)
        return best

    def shares(self, records: Sequence[Record]) -> dict[str, Parts]:
        """Return what `copies` does for each record, by its id, where each copy is one record's only."""
        neighbours: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            neighbours[_plain_number(record.to)].append(record)
        shares: dict[str, Parts] = {}
        for some in neighbours.values():
            shares.update(_shared_out({record.id: self.copies(record) for record in some}, some))
        return shares

    def compare(self, records: Sequence[Record], *, complete: bool = False) -> list[Finding]:
        """Return what is wrong with the records, in their order.

        With `complete` they are all that there are, and what was processed and belongs to none of them is wrong, too.
        """
        parts_of = self.shares(records)
        findings = [
            Finding(kind, record.id, record.to, detail)
            for record in records
            for kind, detail in _faults(record, parts_of[record.id])
        ]
        if complete:
            known = {copy.n for parts in parts_of.values() for copies in parts for copy in copies}
            findings += self._unrecorded(known)
        return findings

    def _unrecorded(self, known: set[int]) -> Iterable[Finding]:
        for to, pieces in self._pieces.items():
            for piece, copies in pieces.items():
                for copy in copies:
                    if copy.n not in known:
                        detail = f"part {piece.number} of {piece.total} was processed by {copy.bind}, for no record"
                        yield Finding("unrecorded", copy.message_id, to, detail)


def _states_by_id(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    """Return the last final state that an acknowledged receipt told, by SMSC, account and message id."""
    return {
        (line.get("smsc", ""), line["system_id"], line["taken_as"]): line["stat"]
        for line in lines
        if line["command"] == "deliver_sm_resp" and line["status"] == "ESME_ROK" and line.get("stat") in FINAL_STATES
    }


def _parts_of(text: str, total: int, pieces: Mapping[_Piece, list[Copy]]) -> Parts:
    """Return the copies of each of `total` parts that make up `text`, as far as they came.

    What is behind a missing part is known from the end on; what is between two of them only lies somewhere there.
    """
    by_number: defaultdict[int, list[str]] = defaultdict(list)
    for piece in pieces:
        if piece.total == total:
            by_number[piece.number].append(piece.text)
    chosen: dict[int, str] = {}
    first, begin = 1, 0
    while first <= total and (fitting := [each for each in by_number[first] if text.startswith(each, begin)]):
        chosen[first] = max(fitting, key=len)
        begin += len(chosen[first])
        first += 1
    if first > total and begin < len(text):
        return [[]]
    last, end = total, len(text)
    while last > first and (fitting := [each for each in by_number[last] if text[begin:end].endswith(each)]):
        chosen[last] = max(fitting, key=len)
        end -= len(chosen[last])
        last -= 1
    for number in range(first + 1, last):
        if fitting := [each for each in by_number[number] if each in text[begin:end]]:
            chosen[number] = max(fitting, key=len)
    return [pieces[_Piece(total, number, chosen[number])] if number in chosen else [] for number in range(1, total + 1)]


def _parts_with(message_ids: frozenset[str], pieces: Mapping[_Piece, list[Copy]]) -> Parts:
    """Return the copies of each part of the message that has one of these ids on one of its parts."""
    found = {
        piece: copies for piece, copies in pieces.items() if any(copy.message_id in message_ids for copy in copies)
    }
    total = max((piece.total for piece in found), default=1)
    parts: Parts = [[] for _ in range(total)]
    for piece, copies in found.items():
        parts[piece.number - 1] += copies
    return parts


def _shared_out(claims: Mapping[str, Parts], records: Sequence[Record]) -> dict[str, Parts]:
    """Return which copies are whose, of records with the same number: their texts may be the same, or some parts.

    A copy belongs to the record that names its id, otherwise to the one that has the fewest of that part.
    """
    if len(records) == 1:
        return dict(claims)
    ids_of = {record.id: frozenset(record.message_ids) for record in records}
    claimants: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    found: dict[int, Copy] = {}
    for name, parts in claims.items():
        for at, copies in enumerate(parts):
            for copy in copies:
                claimants[copy.n].append((name, at))
                found[copy.n] = copy
    naming = {n: [place for place in claimants[n] if copy.message_id in ids_of[place[0]]] for n, copy in found.items()}
    shares: dict[str, Parts] = {name: [[] for _ in parts] for name, parts in claims.items()}
    for n in sorted(found, key=lambda n: (not naming[n], n)):
        name, at = min(naming[n] or claimants[n], key=lambda place: len(shares[place[0]][place[1]]))
        shares[name][at].append(found[n])
    return shares


def _faults(record: Record, parts: Parts) -> Iterable[tuple[str, str]]:
    if record.status in _NOT_SENT and any(parts):
        yield (
            "mis-stated",
            f"told {record.status}, and processed: {_named(copy for copies in parts for copy in copies)}",
        )
        return
    missing = [number for number, copies in enumerate(parts, 1) if not copies]
    if missing and record.status in _SENT:
        yield "lost", f"parts {missing} of {len(parts)} were never processed"
        return
    for number, copies in enumerate(parts, 1):
        if len(copies) > 1:
            yield "duplicated", f"part {number} of {len(parts)} was processed {len(copies)} times: {_named(copies)}"
    firsts = [min(copy.n for copy in copies) for copies in parts if copies]
    if firsts != sorted(firsts):
        yield "misordered", f"its parts came as entries {firsts}"
    made = _status(parts)
    if record.status and made and record.status not in _FITTING[made]:
        states = [[copy.state for copy in copies] for copies in parts]
        yield "mis-stated", f"told {record.status}, and its receipts make it {made}: {states}"


def _named(copies: Iterable[Copy]) -> str:
    return ", ".join(f"{copy.message_id} by {copy.bind}" for copy in copies)


def _status(parts: Parts) -> str:
    """Return what the receipts make of a message, or "" while some part has none that is final."""
    told = [{copy.state for copy in copies} for copies in parts]
    if any(states & FAILED_STATES and "DELIVRD" not in states for states in told):
        return "failed"
    if all("DELIVRD" in states for states in told):
        return "delivered"
    return "unknown" if all(states & {"DELIVRD", "UNKNOWN"} for states in told) else ""


def _plain_number(number: str) -> str:
    return number.removeprefix("+")


def main(arguments: list[str] | None = None) -> int:
    """Compare, print what is wrong, and return 0 if nothing is, 1 if something is, 2 where it cannot be compared."""
    options = _parse(arguments)
    try:
        journal, records = asyncio.run(_read(options))
        ledger = Ledger(journal)
    except CannotRead as error:
        sys.stderr.write(f"ledger: {error}\n")
        return 2
    findings = ledger.compare(records, complete=options.complete)
    for finding in findings:
        sys.stdout.write(f"{finding.kind} {finding.id} to {finding.to}: {finding.detail}\n")
    kinds = KINDS if options.complete else KINDS[:-1]
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in kinds}
    summary = " ".join(f"{kind}={count}" for kind, count in counts.items())
    sys.stdout.write(f"records={len(records)} {summary}\n")
    return 1 if findings else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator.ledger", description="Compare what an SMSC processed with what its client says of it."
    )
    parser.add_argument(
        "journal",
        nargs="+",
        help="JSON lines of GET /journal?text=1, or the http address of a simulator's control; several are one journal",
    )
    parser.add_argument("records", help="JSON lines of records, or the http address of a gateway; see --key")
    parser.add_argument("--key", default="", help="the key to ask the gateway with; needs scope read")
    parser.add_argument("--since", default="", help="only records from this time on, RFC 3339 (default: 24 hours)")
    parser.add_argument("--complete", action="store_true", help="the records are all that there are: tell of strangers")
    return parser.parse_args(arguments)


async def _read(options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[Record]]:
    """Read the journals first: what a record says then is at least as new."""
    journal: list[dict[str, Any]] = []
    for source in options.journal:
        journal += [
            {**line, "smsc": source, "n": len(journal) + n} for n, line in enumerate(await read_journal(source), 1)
        ]
    return journal, await read_records(options.records, key=options.key, since=options.since)


if __name__ == "__main__":
    sys.exit(main())
