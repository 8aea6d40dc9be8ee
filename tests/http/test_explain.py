"""What would become of a message is told without its happening."""

from typing import Any

import pytest

TEXT = "您的快递已到物业前台。"


async def explain(api: Any, body: Any, **headers: str) -> Any:
    return await api.post(body, path="/v1/explain", headers=headers)


async def test_a_message_that_may_go_is_explained_stage_by_stage(api: Any) -> None:
    reply = await explain(api, {"to": "13800138000", "text": TEXT})

    assert reply.status == 200
    assert reply.json == {
        "verdict": "accept",
        "stages": [
            {"stage": stage, "verdict": "accept", "code": None, "detail": None, "data": {}}
            for stage in ("number", "signature", "content", "review", "quota", "route")
        ],
        "coding": "ucs2",
        "parts": 1,
        "text": f"【阳光物业】{TEXT}",
        "routes": [{"carrier": "cmcc-a", "rank": 1, "usable": True, "reason": "takes it"}],
    }
    assert api.accepted == []


async def test_a_message_that_may_not_go_is_told_why_and_what_was_not_asked(api: Any) -> None:
    reply = await explain(api, {"to": "12", "text": TEXT}, **{"Accept-Language": "zh"})

    assert reply.json["verdict"] == "refuse"
    assert [stage["verdict"] for stage in reply.json["stages"]] == ["refuse"] + ["not_run"] * 5
    assert reply.json["stages"][0]["code"] == "invalid_number"
    assert reply.json["stages"][0]["detail"].startswith("该号码无法使用")
    assert reply.json["routes"] == []


async def test_a_number_that_no_carrier_reaches_has_the_reason_for_each(api: Any) -> None:
    reply = await explain(api, {"to": "18900000000", "text": TEXT})

    assert reply.json["verdict"] == "refuse"
    assert reply.json["stages"][-1]["code"] == "unroutable"
    assert reply.json["routes"] == [
        {"carrier": "cmcc-a", "rank": None, "usable": False, "reason": "does not reach the network"}
    ]


async def test_a_message_for_later_would_wait(api: Any) -> None:
    reply = await explain(api, {"to": "13800138000", "text": TEXT, "send_at": "2026-03-02T00:00:00Z"})
    assert reply.json["verdict"] == "wait"


async def test_an_array_is_explained_one_by_one_and_many_numbers_as_they_were_asked_for(api: Any) -> None:
    reply = await explain(api, [{"to": "13800138000", "text": TEXT}, {"to": "12", "text": TEXT}])
    assert [each["verdict"] for each in reply.json["results"]] == ["accept", "refuse"]
    reply = await explain(api, {"to": ["13800138000", "+8613800138000", "12"], "text": TEXT})
    assert [each["verdict"] for each in reply.json["results"]] == ["accept", "accept", "refuse"]


async def test_explaining_needs_the_right_to_send_and_a_well_formed_body(api: Any) -> None:
    body = {"to": "13800138000", "text": TEXT}
    assert (await api.post(body, path="/v1/explain", key="review-key")).status == 403
    assert (await explain(api, {"to": "13800138000"})).status == 400
    assert (await explain(api, [body] * 101)).status == 413


@pytest.mark.parametrize(("key", "shown"), [("alpha-key", True), ("operate-key", False)])
async def test_operators_do_not_see_the_texts_of_codes(api: Any, key: str, shown: bool) -> None:
    body = {"to": "13800138000", "text": "【阳光物业】验证码482913", "category": "otp"}
    reply = await api.post(body, path="/v1/explain", key=key)
    assert ("482913" in reply.body.decode()) is shown
