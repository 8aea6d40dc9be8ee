"""/v1/suppressions, over real sockets."""

from typing import Any

import pytest

NUMBER = "+8613800138000"
MESSAGE = {"to": NUMBER, "text": "【阳光物业】您好"}


async def change(api: Any, method: str, path: str) -> Any:
    return await api.call(method, f"/v1/suppressions/{path}", key="operate-key")


async def listed(api: Any, query: str = "carrier=cmcc-a") -> Any:
    return await api.get(f"/v1/suppressions?{query}", key="operate-key")


async def test_a_carrier_is_left_out_for_a_number_until_it_is_lifted(api: Any) -> None:
    added = await change(api, "PUT", "138%200013%208000?carrier=cmcc-a")
    refused = await api.post(MESSAGE)
    explained = await api.post(MESSAGE, path="/v1/explain")
    shown = await listed(api)
    removed = await change(api, "DELETE", f"{NUMBER}?carrier=cmcc-a")
    again = await change(api, "DELETE", f"{NUMBER}?carrier=cmcc-a")

    assert (added.status, added.json) == (200, {"to": NUMBER, "carrier": "cmcc-a", "suppressed": True})
    assert (refused.status, refused.json["code"]) == (422, "opted_out")
    assert explained.json["routes"][0]["reason"] == "has blacklisted the number"
    at = "2026-03-01T00:00:00.000+00:00"
    entry = {"to": NUMBER, "carrier": "cmcc-a", "at": at, "reason": "by operator"}
    assert shown.json == {"suppressions": [entry], "cursor": None}
    assert [removed.json["removed"], again.json["removed"]] == [True, False]
    assert (await api.post(MESSAGE)).status == 202
    assert [entry.what for entry in (await api.audit.list(limit=10))[0]] == ["suppression.add", "suppression.remove"]


async def test_pages_have_every_one_once(api: Any) -> None:
    for n in range(3):
        await change(api, "PUT", f"1380013800{n}?carrier=cmcc-a")

    first = await listed(api, "carrier=cmcc-a&limit=2")
    second = await listed(api, f"carrier=cmcc-a&limit=2&cursor={first.json['cursor']}")

    shown = first.json["suppressions"] + second.json["suppressions"]
    assert [each["to"] for each in shown] == [f"+861380013800{n}" for n in range(3)]
    assert second.json["cursor"] is None


async def test_past_the_limit_no_more_are_taken(api: Any) -> None:
    for n in range(3):
        await change(api, "PUT", f"1380013800{n}?carrier=cmcc-a")

    assert (await change(api, "PUT", "13800138009?carrier=cmcc-a")).json["code"] == "queue_full"


async def test_a_change_that_is_not_on_disk_does_not_hold(api: Any) -> None:
    api.store.break_down("the disk is full")

    assert (await change(api, "PUT", f"{NUMBER}?carrier=cmcc-a")).json["code"] == "store_unavailable"
    assert not api.suppressed


@pytest.mark.parametrize(
    ("path", "parameter"),
    [("1380013?carrier=cmcc-a", "to"), (f"{NUMBER}?carrier=gone", "carrier"), (NUMBER, "carrier")],
)
async def test_what_is_wrong_is_named(api: Any, path: str, parameter: str) -> None:
    for method in ("PUT", "DELETE"):
        reply = await change(api, method, path)

        assert (reply.status, reply.json["errors"][0]["parameter"]) == (400, parameter)


@pytest.mark.parametrize("query", ["", "carrier=gone", "carrier=cmcc-a&cursor=x", "carrier=cmcc-a&limit=0"])
async def test_a_wrong_list_is_named(api: Any, query: str) -> None:
    assert (await listed(api, query)).json["code"] == "invalid_request"


async def test_only_operators_see_and_change_them(api: Any) -> None:
    calls = [("GET", ""), ("PUT", f"/{NUMBER}"), ("DELETE", f"/{NUMBER}")]
    for key in ("alpha-key", "review-key"):
        assert [(await api.call(m, f"/v1/suppressions{p}", key=key)).status for m, p in calls] == [403] * 3
