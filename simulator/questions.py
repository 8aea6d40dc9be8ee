"""What the journal is asked: which entries, and how often there are such."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import inf
from typing import Any, Final

import msgspec

from simulator.checking import SettingError
from simulator.journal import Entry, name_command, name_status

MOST_GROUPS: Final = 10_000

_DIRECTIONS: Final = ("out", "in")  # by whether it came in

# What entries can be grouped by, with how it is read off one.
GROUPINGS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "phone": lambda entry: entry.phone,
    "bind": lambda entry: entry.bind,
    "system_id": lambda entry: entry.system_id,
    "direction": lambda entry: _DIRECTIONS[entry.incoming],
    "command": lambda entry: name_command(entry.command_id),
    "status": lambda entry: name_status(entry.command_status),
    "stat": lambda entry: entry.stat,
    "id": lambda entry: entry.taken_as,
}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; what is not said matches all.

    `phone` is the subscriber; `source` the source address of a message, and `id` the id that a submit was processed
    under, or that a body names. `since` and `until` are Unix times, `after` the number of an entry. Of what matches,
    `limit` are the first ones, `last` the last ones; None for all.
    """

    phone: str | None = None
    source: str | None = None
    since: float = 0.0
    until: float = inf
    after: int = 0
    command: str | None = None
    status: str | None = None
    direction: str | None = None
    bind: str | None = None
    system_id: str | None = None
    stat: str | None = None
    id: str | None = None
    limit: int | None = None
    last: int | None = None

    def matches(self, number: int, entry: Entry) -> bool:
        """Say whether an entry is wanted. A leading + of a number counts for nothing."""
        return (
            self.since <= entry.at < self.until
            and number > self.after
            and (self.phone is None or entry.phone.removeprefix("+") == self.phone.removeprefix("+"))
            and (self.command is None or name_command(entry.command_id) == self.command)
            and (self.bind is None or entry.bind == self.bind)
            and (self.status is None or name_status(entry.command_status) == self.status)
            and (self.direction is None or _DIRECTIONS[entry.incoming] == self.direction)
            and (self.system_id is None or entry.system_id == self.system_id)
            and (self.stat is None or entry.stat == self.stat)
            and (self.source is None or getattr(entry.body, "source_addr", None) == self.source)
            and (self.id is None or self.id in {entry.taken_as, getattr(entry.body, "message_id", None)})
        )


def read_question(query: Mapping[str, str], *more: str) -> Question:
    """Return what a query asks for; `more` are names in it that are somebody else's. Raises SettingError."""
    known = {"to" if name == "phone" else "from" if name == "source" else name for name in Question.__struct_fields__}
    for name in query:
        if name not in known and name not in more:
            raise SettingError(name, f"unknown; known here are {', '.join(sorted(known | set(more)))}")
    direction = query.get("direction")
    if direction not in {None, "in", "out"}:
        raise SettingError("direction", "must be in or out", direction)
    return Question(
        phone=query.get("to"),
        source=query.get("from"),
        since=_read_time("since", query.get("since", "0")),
        until=_read_time("until", query.get("until", "inf")),
        after=_read_count("after", query.get("after", "0"), "must be the number of an entry"),
        command=query.get("command"),
        status=query.get("status"),
        direction=direction,
        bind=query.get("bind"),
        system_id=query.get("system_id"),
        stat=query.get("stat"),
        id=query.get("id"),
        limit=_read_count("limit", query["limit"], "must be a whole number") if "limit" in query else None,
        last=_read_count("last", query["last"], "must be a whole number") if "last" in query else None,
    )


def read_grouping(text: str) -> list[str]:
    """Return what to group by, from names with commas between them. Raises SettingError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in GROUPINGS for name in names):
        raise SettingError("by", f"must be some of {', '.join(GROUPINGS)}, with commas between them", text)
    return names


def group(numbered: Iterable[tuple[int, Entry]], names: list[str]) -> list[dict[str, Any]]:
    """Return how many entries there are of each group, the most frequent first, with the first and last of each."""
    reads = [GROUPINGS[name] for name in names]
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, entry in numbered:
        key = tuple(read(entry) for read in reads)
        found = groups.get(key)
        if found is None:
            groups[key] = [1, number, number]
        else:
            found[0] += 1
            found[2] = number
    most = sorted(groups.items(), key=lambda item: (-item[1][0], item[1][1]))[:MOST_GROUPS]
    return [
        {**dict(zip(names, key, strict=True)), "count": count, "first_n": first, "last_n": last}
        for key, (count, first, last) in most
    ]


def _read_count(name: str, text: str, rule: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise SettingError(name, rule, text)
    return int(text)


def _read_time(name: str, text: str) -> float:
    """Return a Unix time from its number or from RFC 3339."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise SettingError(name, "must be Unix time or RFC 3339", text) from None
