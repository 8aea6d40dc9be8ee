"""POST /v1/reload, over real sockets."""

from typing import Any


async def test_what_was_not_taken_in_is_told_and_who_asked_is_kept(api: Any) -> None:
    good = await api.call("POST", "/v1/reload", key="operate-key")
    api.reload_faults = ["hours.holidays = x.csv: line 2: kind = 'perhaps': must be off or working"]
    bad = await api.call("POST", "/v1/reload", key="operate-key")

    assert (good.status, good.json) == (200, {"faults": []})
    assert (bad.status, bad.json) == (200, {"faults": api.reload_faults})
    entries, _ = await api.audit.list(limit=10)
    assert [(entry.who, entry.what, entry.why) for entry in entries] == [
        ("operator", "reload", ""),
        ("operator", "reload", api.reload_faults[0]),
    ]


async def test_only_operators_reload(api: Any) -> None:
    assert [(await api.call("POST", "/v1/reload", key=key)).status for key in ("alpha-key", "review-key")] == [403, 403]
