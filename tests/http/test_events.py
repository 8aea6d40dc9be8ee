"""GET /v1/events, GET /v1/callbacks/failed, POST /v1/callbacks/replay."""

from typing import Any

import pytest

from gateway.message import Entry, Record, Status
from tests.http.conftest import NOW

MESSAGE = {"to": "13800138000", "text": "【阳光物业】您好。"}


async def deliver(api: Any, count: int, *, status: Status = Status.DELIVERED) -> list[str]:
    """Accept messages and bring them to their end; their ids."""
    reply = await api.post([MESSAGE] * count)
    assert reply.status == 202
    records: list[Record] = api.accepted[-count:]
    for record in records:
        record.state.status = status
        record.state.timeline.append(Entry(api.clock(), status, "receipt UNDELIV"))
        commit = api.store.update(record)
    await commit
    return [str(record.id) for record in records]


async def test_an_application_reads_its_events_page_by_page_and_comes_back_for_more(api: Any) -> None:
    sent = await deliver(api, 5)

    first = (await api.get("/v1/events?limit=3")).json
    second = (await api.get(f"/v1/events?limit=3&cursor={first['cursor']}")).json
    nothing = (await api.get(f"/v1/events?cursor={second['cursor']}")).json
    more = await deliver(api, 1, status=Status.FAILED)
    third = (await api.get(f"/v1/events?cursor={nothing['cursor']}")).json

    assert [event["id"] for event in first["events"] + second["events"]] == sent
    assert nothing["events"] == []
    [event] = third["events"]
    assert (event["id"], event["type"], event["reason"], event["to"]) == (
        more[0],
        "message.failed",
        "receipt UNDELIV",
        "+8613800138000",
    )


async def test_events_older_than_seven_days_are_not_shown(api: Any) -> None:
    await deliver(api, 3)
    api.clock.now = NOW + 7 * 86_400_000 + 1
    later = await deliver(api, 1)

    page = (await api.get("/v1/events?limit=2")).json

    assert [event["id"] for event in page["events"]] == later


async def test_an_account_without_events_is_told_so(api: Any) -> None:
    for reply in (
        await api.get("/v1/events", key="beta-key"),
        await api.get("/v1/callbacks/failed", key="beta-key"),
        await api.post({}, path="/v1/callbacks/replay", key="beta-key"),
    ):
        assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/callbacks/failed"])
@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=AQAAAAAAAAAA", "limit=0", "limit=1001", "to=1", "limit=1&limit=2"]
)
async def test_a_wrong_parameter_is_named(api: Any, path: str, query: str) -> None:
    reply = await api.get(f"{path}?{query}")

    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    assert reply.json["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [([], ""), ({"event_ids": []}, "/event_ids"), ({"event_ids": ["x"]}, "/event_ids"), ({"ids": ["1"]}, "/ids")],
)
async def test_a_wrong_replay_is_named(api: Any, body: Any, pointer: str) -> None:
    reply = await api.post(body, path="/v1/callbacks/replay")

    assert (reply.status, reply.json["errors"][0]["pointer"]) == (400, pointer)


async def test_where_nothing_failed_nothing_is_listed_and_nothing_replayed(api: Any) -> None:
    await deliver(api, 2)

    assert (await api.get("/v1/callbacks/failed")).json == {"failed": [], "cursor": None}
    assert (await api.post({}, path="/v1/callbacks/replay")).json == {"replayed": 0}


async def test_a_store_that_cannot_be_read_is_503(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.store.api import StoreDamagedError

    async def damaged(*_: Any, **__: Any) -> None:
        raise StoreDamagedError("x")

    monkeypatch.setattr(api.store, "events", damaged)

    assert (await api.get("/v1/events")).json["code"] == "store_unavailable"
