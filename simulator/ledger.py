"""The journal against somebody's records: what was lost, doubled, out of order, or ended otherwise than told. Pure.

Messages are known by their destination and text, so the texts to one number must differ for the ledger to tell them
apart. `python -m simulator.ledger JOURNAL RECORDS` compares two files of JSON lines.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

FAILED_STATES: Final = frozenset({"EXPIRED", "DELETED", "UNDELIV", "REJECTD"})
FINAL_STATES: Final = FAILED_STATES | {"DELIVRD", "UNKNOWN"}
KINDS: Final = ("lost", "duplicated", "misordered", "mis-stated")


class Record(msgspec.Struct, frozen=True):
    """A message as its sender knows it. `status` is what it says became of it; "" says nothing."""

    id: str
    to: str
    text: str
    status: str = ""


class Copy(msgspec.Struct, frozen=True):
    """One submit that was processed: its place in the journal, its bind, its id and the last state that was told."""

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


class Ledger:
    """What the simulator processed, by destination and part. Raises KeyError for lines of a journal without texts."""

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Take the lines of `GET /journal?text=1`, in order."""
        lines = list(lines)
        states = _states_by_id(lines)
        self._pieces: defaultdict[str, dict[_Piece, list[Copy]]] = defaultdict(dict)
        for line in lines:
            if line["command"] == "submit_sm" and "taken_as" in line:
                part = line.get("part", {"total": 1, "number": 1})
                piece = _Piece(part["total"], part["number"], line["text"])
                message_id = line["taken_as"]
                state = states.get((line["system_id"], message_id), "")
                copy = Copy(line["n"], line["bind"], message_id, state)
                self._pieces[_plain_number(line["to"])].setdefault(piece, []).append(copy)

    def copies(self, to: str, text: str) -> list[list[Copy]]:
        """Return, for each part of a text to a number, every copy of it; one empty list if nothing of it came."""
        pieces = self._pieces.get(_plain_number(to), {})
        best: list[list[Copy]] = [[]]
        for total in sorted({piece.total for piece in pieces}):
            parts = _parts_of(text, total, pieces)
            if sum(map(bool, parts)) > sum(map(bool, best)):
                best = parts
        return best

    def compare(self, records: Iterable[Record]) -> list[Finding]:
        """Return what is wrong with the records, in their order."""
        findings: list[Finding] = []
        for record in records:
            parts = self.copies(record.to, record.text)
            findings += [Finding(kind, record.id, record.to, detail) for kind, detail in _faults(record, parts)]
        return findings


def _states_by_id(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the last final state that an acknowledged receipt told, by account and message id."""
    return {
        (line["system_id"], line["taken_as"]): line["stat"]
        for line in lines
        if line["command"] == "deliver_sm_resp" and line["status"] == "ESME_ROK" and line.get("stat") in FINAL_STATES
    }


def _parts_of(text: str, total: int, pieces: Mapping[_Piece, list[Copy]]) -> list[list[Copy]]:
    """Return the copies of each of `total` parts that make up `text`, as far as they came."""
    parts: list[list[Copy]] = []
    position = 0
    for number in range(1, total + 1):
        fitting = [
            piece
            for piece in pieces
            if (piece.total, piece.number) == (total, number) and text.startswith(piece.text, position)
        ]
        if not fitting:
            return [*parts, *[[] for _ in range(number, total + 1)]]
        longest = max(fitting, key=lambda piece: len(piece.text))
        parts.append(pieces[longest])
        position += len(longest.text)
    return parts if position == len(text) else [[]]


def _faults(record: Record, parts: list[list[Copy]]) -> Iterable[tuple[str, str]]:
    missing = [number for number, copies in enumerate(parts, 1) if not copies]
    if missing:
        yield "lost", f"parts {missing} of {len(parts)} were never processed"
        return
    for number, copies in enumerate(parts, 1):
        if len(copies) > 1:
            ids = ", ".join(f"{copy.message_id} by {copy.bind}" for copy in copies)
            yield "duplicated", f"part {number} of {len(parts)} was processed {len(copies)} times: {ids}"
    firsts = [copies[0].n for copies in parts]
    if firsts != sorted(firsts):
        yield "misordered", f"its parts came as entries {firsts}"
    expected = _status(parts)
    if record.status and expected and record.status != expected:
        states = [[copy.state for copy in copies] for copies in parts]
        yield "mis-stated", f"told {record.status}, and its receipts make it {expected}: {states}"


def _status(parts: list[list[Copy]]) -> str:
    """Return what the receipts make of a message, or "" while some part has none that is final."""
    told = [{copy.state for copy in copies} for copies in parts]
    if any(states & FAILED_STATES and "DELIVRD" not in states for states in told):
        return "failed"
    if all("DELIVRD" in states for states in told):
        return "delivered"
    return "unknown" if all(states & {"DELIVRD", "UNKNOWN"} for states in told) else ""


def _plain_number(number: str) -> str:
    return number.removeprefix("+")


def main(arguments: list[str]) -> int:
    """Compare two files, print what is wrong, and return 0 if nothing is, 1 if something is, 2 without two files."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m simulator.ledger JOURNAL RECORDS\n")
        return 2
    journal, records = (Path(argument).read_bytes().splitlines() for argument in arguments)
    ledger = Ledger(msgspec.json.decode(line) for line in journal)
    findings = ledger.compare([msgspec.json.decode(line, type=Record) for line in records])
    for finding in findings:
        sys.stdout.write(f"{finding.kind} {finding.id} to {finding.to}: {finding.detail}\n")
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    summary = " ".join(f"{kind}={count}" for kind, count in counts.items())
    sys.stdout.write(f"records={len(records)} {summary}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
