"""What the live page shows of each SMSC now, and how long answers took of late. Made when asked for."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway.smpp import CommandId
from simulator.binds import Bind
from simulator.journal import Entry
from simulator.outcomes import FAULTS
from simulator.station import Station

# How many of the newest entries are looked at, and how far back.
NEWEST_ENTRIES: Final = 8000
RECENT_SECONDS: Final = 10.0

_SHARES: Final = (0.5, 0.9, 0.99)

# Requests whose answers are timed, by which way they go. What was asked is known by its bind and number again.
_ASKED: Final = {(True, int(CommandId.SUBMIT_SM)): "submit_sm", (False, int(CommandId.DELIVER_SM)): "deliver_sm"}
_ANSWERED: Final = {
    (False, int(CommandId.SUBMIT_SM_RESP)): "submit_sm",
    (True, int(CommandId.DELIVER_SM_RESP)): "deliver_sm",
}


class Waits(msgspec.Struct, frozen=True):
    """How long some answers took, in seconds: by the share of them that took no longer. Without any, all are 0."""

    count: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0


def recent_waits(entries: Iterable[Entry], *, now: float) -> dict[str, Waits]:
    """Return how long answers took that came in the `RECENT_SECONDS` before Unix time `now`, by what was asked.

    Those to submit_sm are the simulator's, those to deliver_sm its clients'. Requests that are no longer among
    `entries`, which are oldest first, count for nothing.
    """
    asked_at: dict[tuple[str, str, int], float] = {}
    waits: dict[str, list[float]] = {name: [] for name in _ASKED.values()}
    for entry in entries:
        kind = entry.kind
        what = _ASKED.get((kind.incoming, kind.command_id))
        if what is not None:
            asked_at[what, entry.bind, entry.sequence_number] = entry.at
            continue
        what = _ANSWERED.get((kind.incoming, kind.command_id))
        if what is not None:
            began = asked_at.pop((what, entry.bind, entry.sequence_number), None)
            if began is not None and entry.at >= now - RECENT_SECONDS:
                waits[what].append(entry.at - began)
    return {what: _summed_up(sorted(each)) for what, each in waits.items()}


def _summed_up(waits: list[float]) -> Waits:
    if not waits:
        return Waits()
    return Waits(len(waits), *(waits[min(len(waits) - 1, int(share * len(waits)))] for share in _SHARES))


def describe(stations: Mapping[str, Station], *, now: float) -> dict[str, Any]:
    """Return what `GET /live` answers at Unix time `now`."""
    return {"at": now, "smscs": [_describe_station(station, now) for station in stations.values()]}


def _describe_station(station: Station, now: float) -> dict[str, Any]:
    scenario, timeline = station.smsc.scenario, station.scenario.timeline
    phase = None if station.phase is None else timeline.phase[station.phase]
    counts = station.counts()
    del counts["pdus"]
    return {
        "name": station.name,
        "address": station.address,
        "listening": station.is_listening,
        "phase": None if phase is None else phase.name or f"phase {counts['phase']} of {len(timeline.phase)}",
        "counts": counts,
        "waits": recent_waits(station.smsc.journal.newest(NEWEST_ENTRIES), now=now),
        "binds": [_describe_bind(bind, now) for bind in station.binds],
        "faults": {name: scenario.outcomes.faults.get(name, 0.0) for name in FAULTS},
        "errors": scenario.outcomes.errors,
        "mix": scenario.outcomes.mix,
        "rules": len(scenario.rule),
        "silent": scenario.wire.silent,
        "binds_refused_with": scenario.binds.refuse_with,
    }


def _describe_bind(bind: Bind, now: float) -> dict[str, Any]:
    return {
        "name": bind.origin.bind,
        "system_id": bind.system_id,
        "mode": None if bind.mode is None else bind.mode.value,
        "seconds": max(0.0, now - bind.began_at),
        "submits": bind.submits,
        "unanswered": bind.unanswered,
        "window_free": bind.link.window_free,
        "state": _state(bind),
    }


def _state(bind: Bind) -> str:
    if bind.is_over:
        return "over"
    return "not bound" if bind.mode is None else "reading slower" if bind.is_paused else "up"
