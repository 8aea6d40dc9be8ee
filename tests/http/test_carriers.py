"""What operators do to carriers."""

from typing import Any

import pytest

from gateway.store.api import StoreUnavailableError

OPERATOR = {"key": "operate-key"}


@pytest.mark.parametrize(
    ("path", "status", "done"),
    [
        ("/v1/carriers/cmcc-a/pause", 200, ("pause", "cmcc-a", "as configured")),
        ("/v1/carriers/cmcc-a/pause?queue=move", 200, ("pause", "cmcc-a", "move")),
        ("/v1/carriers/cmcc-a/pause?queue=keep", 200, ("pause", "cmcc-a", "keep")),
        ("/v1/carriers/cmcc-a/resume", 200, ("resume", "cmcc-a")),
        ("/v1/binds/cmcc-a-1/rebind", 202, ("rebind", "cmcc-a-1")),
    ],
)
async def test_it_is_done_and_the_carrier_is_shown(api: Any, path: str, status: int, done: tuple[str, ...]) -> None:
    shown = (await api.get("/v1/carriers", **OPERATOR)).json["carriers"][0]
    reply = await api.call("POST", path, **OPERATOR)
    assert (reply.status, reply.json) == (status, shown)
    assert api.carrier_desk.done == [done]
    [entry], _ = await api.audit.list(limit=10)
    assert (entry.who, entry.subject) == ("operator", done[1])
    assert entry.what.endswith(done[0])


@pytest.mark.parametrize("path", ["/v1/carriers/nobody/pause", "/v1/carriers/nobody/resume", "/v1/binds/nobody/rebind"])
async def test_what_has_another_name_is_not_found(api: Any, path: str) -> None:
    reply = await api.call("POST", path, **OPERATOR)
    assert (reply.status, reply.json["code"]) == (404, "not_found")
    assert api.carrier_desk.done == []


@pytest.mark.parametrize(
    "path", ["/v1/carriers/cmcc-a/pause", "/v1/carriers/cmcc-a/resume", "/v1/binds/cmcc-a-1/rebind"]
)
async def test_only_operators_may(api: Any, path: str) -> None:
    assert (await api.call("POST", path)).status == 403
    assert (await api.call("POST", path, key="review-key")).status == 403
    assert (await api.call("GET", path, **OPERATOR)).status == 405
    assert api.carrier_desk.done == []


@pytest.mark.parametrize(
    ("query", "rule"),
    [("queue=drop", "must be keep or move"), ("for=1h", "is not a known parameter")],
)
async def test_what_a_pause_does_not_know_is_refused(api: Any, query: str, rule: str) -> None:
    reply = await api.call("POST", f"/v1/carriers/cmcc-a/pause?{query}", **OPERATOR)
    assert reply.status == 400
    assert reply.json["errors"][0]["rule"] == rule
    assert api.carrier_desk.done == []


@pytest.mark.parametrize("path", ["/v1/carriers/cmcc-a/pause", "/v1/carriers/cmcc-a/resume"])
async def test_while_the_store_cannot_be_written_nothing_changes(api: Any, path: str) -> None:
    api.carrier_desk.error = StoreUnavailableError("disk full")
    reply = await api.call("POST", path, **OPERATOR)
    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")
    assert "Retry-After" in reply.headers
