"""What came of a fault: every message accounted for, by the ledger and by what its application was told. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from loadtest.answers import FINAL, MessageSeen
from simulator.ledger import KINDS, Finding, Ledger
from simulator.records import Record
from tests.faults.traffic import CROWD, CROWD_CAP, Accepted

WAITING: Final = frozenset({"marketing"})  # categories with on_doubt = "wait": never a second copy
_SHOWN: Final = 5  # ids of one kind


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that both sides and the application know at the end of a run."""

    accepted: Mapping[str, Accepted]  # what was answered, by message id
    asked_of_crowd: Mapping[str, int]
    told: Mapping[str, str]  # the last status that was told, by message id
    messages: Sequence[MessageSeen]  # as the gateway lists them
    records: Sequence[Record]  # the same, as the ledger compares them
    journal: Sequence[Mapping[str, object]]  # of every SMSC


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table. `broken` says which promise was not kept, with ids; empty: all were."""

    fault: str
    tried: int
    accepted: int = 0
    lost: int = 0
    doubled_wait: int = 0  # copies beside the first, where there must be none
    doubled_resend: int = 0
    most_resend: int = 0  # as many may be
    note: str = ""
    ledger: str = ""  # how many records it compared, and how many of each kind it found something wrong with
    broken: tuple[str, ...] = ()


def judge(fault: str, evidence: Evidence, *, tried: int, most_resend: int, note: str = "") -> Outcome:
    """Account for every message. `most_resend` copies may be there of messages whose category sends again in doubt."""
    ledger = Ledger(evidence.journal)
    findings = ledger.compare(evidence.records, complete=True)
    lost = _lost(evidence, findings)
    doubled = _copies(evidence, ledger)
    broken = [
        *_told_of("lost", lost),
        *_told_of("not final", [message.id for message in evidence.messages if message.status not in FINAL]),
        *_told_of("told otherwise", _told_otherwise(evidence)),
        *_told_of("a second message for one client_ref", _twice_accepted(evidence)),
        *_told_of("more than a cap allows, or less", _caps(evidence)),
    ]
    # Where a part was tried again, the parts behind it were already away: nothing holds them back for it.
    again = {message.id for message in evidence.messages if any(len(part.attempts) > 1 for part in message.parts)}
    for kind, excused in (("misordered", again), ("mis-stated", set[str]()), ("unrecorded", set[str]())):
        wrong = [each for each in findings if each.kind == kind and each.id not in excused]
        broken += _told_of(kind, [f"{each.id} ({each.detail})" for each in wrong])
    if doubled["wait"]:
        broken.append(f"{doubled['wait']} copies too many of messages that are never sent again")
    if doubled["resend"] > most_resend:
        broken.append(f"{doubled['resend']} copies too many, and {most_resend} may be")
    return Outcome(
        fault=fault,
        tried=tried,
        accepted=len(evidence.accepted),
        lost=len(lost),
        doubled_wait=doubled["wait"],
        doubled_resend=doubled["resend"],
        most_resend=most_resend,
        note=note,
        ledger=_ledger_line(evidence, findings),
        broken=tuple(broken),
    )


def _ledger_line(evidence: Evidence, findings: Sequence[Finding]) -> str:
    counts = Counter(finding.kind for finding in findings)
    return " ".join([f"records={len(evidence.records)}", *(f"{kind}={counts[kind]}" for kind in KINDS)])


def _lost(evidence: Evidence, findings: Sequence[Finding]) -> list[str]:
    """Accepted, and neither processed by a carrier nor brought to an end that the application was told."""
    listed = {message.id: message.status for message in evidence.messages}
    lost = [message_id for message_id in evidence.accepted if message_id not in listed]
    lost += [finding.id for finding in findings if finding.kind == "lost"]
    lost += [name for name, status in listed.items() if status in FINAL and name not in evidence.told]
    return sorted(set(lost))


def _told_otherwise(evidence: Evidence) -> list[str]:
    return [
        f"{message.id} (told {evidence.told[message.id]}, is {message.status})"
        for message in evidence.messages
        if message.id in evidence.told and evidence.told[message.id] != message.status
    ]


def _twice_accepted(evidence: Evidence) -> list[str]:
    refs = Counter(message.client_ref for message in evidence.messages)
    return [str(ref) for ref, times in refs.items() if times > 1]


def _caps(evidence: Evidence) -> list[str]:
    """Each number of the crowd has what its cap allows: never more, and no less where enough was asked for."""
    had = Counter(message.to.removeprefix("+86") for message in evidence.messages)
    return [
        f"{had[number]} to number {place} of the crowd, asked for {evidence.asked_of_crowd.get(number, 0)}"
        for place, number in enumerate(CROWD)
        if had[number] != min(CROWD_CAP, evidence.asked_of_crowd.get(number, 0))
    ]


def _copies(evidence: Evidence, ledger: Ledger) -> Counter[str]:
    """How many copies of parts came after the first, by what the category says of doubt."""
    copies: Counter[str] = Counter()
    shares = ledger.shares(evidence.records)
    for record in evidence.records:
        accepted = evidence.accepted.get(record.id)
        kind = "wait" if accepted is not None and accepted.category in WAITING else "resend"
        copies[kind] += sum(len(part) - 1 for part in shares[record.id] if part)
    return copies


def _told_of(kind: str, found: Sequence[str]) -> list[str]:
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{kind}: {', '.join(found[:_SHOWN])}{more}"]
