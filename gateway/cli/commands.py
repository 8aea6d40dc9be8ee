"""What each command asks of the gateway, and how it shows the answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.cli.client import Client, Refused, Reply
from gateway.cli.tables import Table, harmless, local_time

_SHORTEST_ID: Final = 16  # digits of a message id, at least; the longest number has 15 and perhaps 00 before it
_FORBIDDEN: Final = 403
_NOT_READY: Final = 503


class Outcome(msgspec.Struct, frozen=True):
    """The answer to a command: `page` for programs, `lines` for people, and whether it is a good one."""

    page: Any
    lines: Sequence[str]
    good: bool = True


Options = Mapping[str, Any]
Command = Callable[[Client, Options], Outcome]


def status(client: Client, _: Options) -> Outcome:
    """Whether messages can be taken, and whether the carriers can be reached. Not good while it is not ready."""
    page = client.get("/readyz", also=_NOT_READY).page
    lines = [f"ready: {'yes' if page['ready'] else 'no'}", f"store: {page['store']}"]
    binds = page["binds"]
    bound = sum(bind["state"] == "bound" for bind in binds)
    lines.append(f"binds: {bound} of {len(binds)} bound")
    carriers = _carriers_if_allowed(client)
    if carriers is not None:
        page = {**page, "carriers": carriers}
        up = sum(carrier["state"] == "up" for carrier in carriers)
        lines.append(f"carriers: {up} of {len(carriers)} up")
        lines.append(f"queued: {sum(carrier['queued'] for carrier in carriers)}")
    down = [(bind["name"], bind["state"]) for bind in binds if bind["state"] != "bound"]
    if down:
        lines += ["", *Table(["BIND", "STATE"], down).lines()]
    return Outcome(page, lines, good=page["ready"])


def carriers(client: Client, _: Options) -> Outcome:
    """Every carrier with its binds."""
    page = client.get("/v1/carriers").page
    return Outcome(page, _carrier_lines(page["carriers"]))


def pause(client: Client, options: Options) -> Outcome:
    """Begin no more messages by a carrier."""
    query = {"queue": options["queue"]} if options["queue"] else None
    return _carrier(client.post(f"/v1/carriers/{_segment(options['carrier'])}/pause", query))


def resume(client: Client, options: Options) -> Outcome:
    """Go on with a carrier."""
    return _carrier(client.post(f"/v1/carriers/{_segment(options['carrier'])}/resume"))


def rebind(client: Client, options: Options) -> Outcome:
    """Unbind and bind again."""
    return _carrier(client.post(f"/v1/binds/{_segment(options['bind'])}/rebind"))


def reload(client: Client, _: Options) -> Outcome:
    """Take the files beside the config as they are now. Not good when one was not taken in."""
    page = client.post("/v1/reload").page
    faults = page["faults"]
    lines = [f"not taken in: {harmless(fault)}" for fault in faults] or ["reloaded"]
    return Outcome(page, lines, good=not faults)


def find(client: Client, options: Options) -> Outcome:
    """A message by its id, with its timeline; or the messages of a number, a batch or a reference, and its refusals.

    Not good when there are none.
    """
    wanted = options["what"] or ""
    if wanted.isascii() and wanted.isdigit() and len(wanted) >= _SHORTEST_ID and wanted[0] != "0":
        page = client.get(f"/v1/messages/{wanted}").page
        return Outcome(page, _message_lines(page))
    filters = {"to": wanted, **{name: options[name] for name in ("batch", "client_ref", "status", "since")}}
    filters = {name: value for name, value in filters.items() if value}  # and without any: everything
    body = {**filters, "limit": options["limit"]}
    page = dict(client.post("/v1/messages/search", body=body).page)
    lines = _list_lines(page["messages"], more=page["cursor"] is not None)
    # A refusal has neither id nor status, and is not looked for by its reference.
    about: dict[str, str] = {name: filters[name] for name in ("to", "batch") if name in filters}
    if about and filters.keys() <= {"to", "batch", "since"}:
        page["refusals"] = client.get("/v1/refusals", {**about, "limit": str(options["limit"])}).page["refusals"]
        lines += _refusal_lines(page["refusals"])
    found = bool(page["messages"] or page.get("refusals"))
    return Outcome(page, lines or ["nothing found"], good=found)


def explain(client: Client, options: Options) -> Outcome:
    """What would become of a message, and why. A message that would be refused is explained as well as another."""
    names = ("to", "text", "category", "signature", "sender")
    page = client.post("/v1/explain", body={name: options[name] for name in names if options[name] is not None}).page
    stages = [[each["stage"], each["verdict"], each["code"], each["detail"]] for each in page["stages"]]
    routes = [[each["carrier"], each["rank"], _yes(each["usable"]), each["reason"]] for each in page["routes"]]
    lines = [
        f"verdict: {page['verdict']}",
        f"text: {harmless(page['text'])}",
        f"coding: {page['coding']}, parts: {page['parts']}",
        "",
        *Table(["STAGE", "VERDICT", "CODE", "DETAIL"], stages).lines(),
        "",
        *Table(["CARRIER", "RANK", "USABLE", "REASON"], routes).lines(),
    ]
    return Outcome(page, lines)


def _carriers_if_allowed(client: Client) -> Any:
    """The carriers, for a key that may see them; else None."""
    if not client.has_key:
        return None
    try:
        return client.get("/v1/carriers").page["carriers"]
    except Refused as refused:
        if refused.status == _FORBIDDEN:
            return None
        raise


def _carrier(reply: Reply) -> Outcome:
    return Outcome(reply.page, _carrier_lines([reply.page]))


def _carrier_lines(found: Sequence[Any]) -> list[str]:
    summary = [[each["name"], each["state"], each["rate"], each["queued"]] for each in found]
    binds = [
        [
            *(carrier["name"], bind["name"], bind["state"], f"{bind['in_use']}/{bind['window']}"),
            *(local_time(bind["since"]), bind["error"]),
        ]
        for carrier in found
        for bind in carrier["binds"]
    ]
    return [
        *Table(["CARRIER", "STATE", "RATE", "QUEUED"], summary).lines(),
        "",
        *Table(["CARRIER", "BIND", "STATE", "WINDOW", "SINCE", "ERROR"], binds).lines(),
    ]


def _message_lines(message: Any) -> list[str]:
    shown = ("id", "status", "to", "account", "category", "batch", "client_ref", "network", "signature", "text")
    timeline = [[local_time(each["at"]), each["status"], each["reason"]] for each in message["timeline"]]
    attempts = [
        [
            *(part["n"], part["status"], local_time(each["at"])),
            *(each[name] for name in ("carrier", "bind", "carrier_message_id", "command_status", "error")),
        ]
        for part in message["parts"]
        for each in part["attempts"]
    ]
    lines = [f"{name}: {harmless(str(message[name]))}" for name in shown if message[name] is not None]
    lines += ["", *Table(["AT", "STATUS", "REASON"], timeline).lines()]
    if attempts:
        headings = ["PART", "STATUS", "AT", "CARRIER", "BIND", "CARRIER ID", "ANSWER", "ERROR"]
        lines += ["", *Table(headings, attempts).lines()]
    return lines


def _list_lines(messages: Sequence[Any], *, more: bool) -> list[str]:
    """Messages in a table; nothing where there are none."""
    rows = [
        [each["id"], _accepted(each), each["status"], each["to"], each["account"], each["category"], each["batch"]]
        for each in messages
    ]
    lines = Table(["ID", "ACCEPTED", "STATUS", "TO", "ACCOUNT", "CATEGORY", "BATCH"], rows).lines() if rows else []
    return [*lines, "there are more: ask with a filter, or with --limit"] if more else lines


def _refusal_lines(refusals: Sequence[Any]) -> list[str]:
    """Refusals in a table; nothing where there are none."""
    if not refusals:
        return []
    shown = ("code", "rule", "to", "account", "category", "batch", "client_ref")
    rows = [[local_time(each["at"]), *(each[name] for name in shown)] for each in refusals]
    headings = ["AT", *(name.upper().replace("_", " ") for name in shown)]
    return ["", "refused, of this number and those that are masked alike:", *Table(headings, rows).lines()]


def _accepted(message: Any) -> str | None:
    """When a message was accepted: its first step."""
    timeline = message["timeline"]
    return local_time(timeline[0]["at"]) if timeline else None


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _segment(name: str) -> str:
    return quote(name, safe="")
