"""GET /v1/audit, over real sockets."""

from typing import Any

import pytest


async def audit(api: Any, query: str = "", *, key: str = "operate-key") -> Any:
    return await api.get(f"/v1/audit?{query}", key=key)


async def test_who_did_what_is_told_oldest_first_page_by_page_and_from_a_time_on(api: Any) -> None:
    for n in range(3):
        await api.audit.note("operator" if n else "", "opt_out.remove", subject=str(n), why="asked")
        api.clock.now += 60_000

    first = await audit(api, "limit=2")
    second = await audit(api, f"limit=2&cursor={first.json['cursor']}")
    later = await audit(api, "since=2026-03-01T08:02:00%2B08:00")

    assert first.json["entries"][0] == {
        "at": "2026-03-01T00:00:00.000+00:00",
        "who": None,
        "what": "opt_out.remove",
        "subject": "0",
        "why": "asked",
    }
    assert [each["subject"] for each in first.json["entries"] + second.json["entries"]] == ["0", "1", "2"]
    assert second.json["cursor"] is None
    assert [each["subject"] for each in later.json["entries"]] == ["2"]


@pytest.mark.parametrize("query", ["since=today", "cursor=x", "limit=0", "who=me"])
async def test_a_wrong_parameter_is_named(api: Any, query: str) -> None:
    reply = await audit(api, query)

    assert (reply.status, reply.json["errors"][0]["parameter"]) == (400, query.partition("=")[0])


async def test_only_operators_read_it(api: Any) -> None:
    assert [(await audit(api, key=key)).status for key in ("alpha-key", "review-key")] == [403, 403]
