"""GET /v1/usage and the quotas in GET /v1/account, and how fast an account may submit."""

from typing import Any

import pytest

MESSAGE = {"to": "13800138000", "text": "【阳光物业】停水通知"}


async def test_usage_tells_an_account_of_its_own_messages_only(api: Any) -> None:
    await api.post([MESSAGE, {**MESSAGE, "to": "18600138000", "category": "otp"}])
    await api.post(MESSAGE, key="beta-key")

    own = await api.get("/v1/usage?by=account,network")
    every = await api.get("/v1/usage?by=account", key="operate-key")
    one = await api.get("/v1/usage?by=account&account=beta", key="operate-key")
    other = await api.get("/v1/usage?account=beta")

    none = {"messages": 0, "segments": 0}
    assert own.json == {
        "from": "2026-03-01",
        "to": "2026-03-01",
        "time_zone": "Asia/Shanghai",
        "by": ["account", "network"],
        "usage": [
            {
                "account": "alpha",
                "network": network,
                "accepted": {"messages": 1, "segments": 1},
                "submitted": none,
                "delivered": none,
                "failed": none,
            }
            for network in ("cmcc", "cucc")
        ],
    }
    assert [(line["account"], line["accepted"]["messages"]) for line in every.json["usage"]] == [
        ("alpha", 2),
        ("beta", 1),
    ]
    assert [line["account"] for line in one.json["usage"]] == ["beta"]
    assert (other.status, other.json["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("query", "parameter", "rule"),
    [
        ("from=1.3.2026", "from", "must be a day: 2026-03-01"),
        ("from=2026-03-02", "to", "must be less than 366 days after `from`, and not before"),
        ("from=2025-02-28", "to", "must be less than 366 days after `from`, and not before"),
        ("by=day,day", "by", "must be some of day, account, category, carrier, network, each once, with commas"),
        ("by=colour", "by", "must be some of day, account, category, carrier, network, each once, with commas"),
        ("until=2026-03-01", "until", "is not a known parameter"),
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Any, query: str, parameter: str, rule: str) -> None:
    reply = await api.get(f"/v1/usage?{query}")

    assert reply.status == 400
    [fault] = reply.json["errors"]
    assert fault["parameter"] == parameter
    assert fault["rule"].startswith(rule)


async def test_a_quota_is_told_used_and_refused(api: Any) -> None:
    texts = [{**MESSAGE, "text": f"【阳光物业】停水通知{n}"} for n in range(4)]
    answers = await api.post(texts, key="small-key")
    account = await api.get("/v1/account", key="small-key")

    assert [result["status"] for result in answers.json["results"]] == ["queued"] * 3 + ["refused"]
    assert answers.json["results"][3]["error"] == {
        "code": "quota_exceeded",
        "detail": "The account's quota messages_a_day leaves no room for this message.",
        "quota": "messages_a_day",
        "limit": 3,
        "used": 3,
        "retry_at": "2026-03-01T16:00:00.000+00:00",
    }
    assert account.json["quotas"] == [
        {
            "quota": "messages_a_day",
            "limit": 3,
            "used": 3,
            "left": 0,
            "resets_at": "2026-03-01T16:00:00.000+00:00",
        },
        {
            "quota": "segments_a_month",
            "limit": 100,
            "used": 3,
            "left": 97,
            "resets_at": "2026-03-31T16:00:00.000+00:00",
        },
    ]


async def test_what_waits_is_booked_too_and_what_was_accepted_before_costs_nothing(api: Any) -> None:
    later = {**MESSAGE, "send_at": "2026-03-02T08:00:00+08:00", "client_ref": "a"}
    assert (await api.post(later, key="small-key")).json["status"] == "scheduled"
    assert (await api.post(later, key="small-key")).json["duplicate"] is True

    account = await api.get("/v1/account", key="small-key")
    assert [quota["used"] for quota in account.json["quotas"]] == [1, 1]


async def test_who_is_too_fast_is_told_when_to_come_again(api: Any) -> None:
    first = await api.post([{**MESSAGE, "client_ref": str(n)} for n in range(12)], key="slow-key")
    second = await api.post(MESSAGE, key="slow-key")

    assert first.status == 202
    assert (second.status, second.json["code"]) == (429, "rate_limited")
    assert second.headers["Retry-After"] in {"5", "6"}  # ten messages ahead, at two a second
    assert len(api.accepted) == 12


async def test_what_was_accepted_before_costs_no_rate(api: Any) -> None:
    for _ in range(20):
        assert (await api.post({**MESSAGE, "client_ref": "a"}, key="slow-key")).status in {200, 202}


async def test_an_account_may_send_its_categories_only(api: Any) -> None:
    reply = await api.post({**MESSAGE, "category": "marketing"}, key="slow-key")
    account = await api.get("/v1/account", key="slow-key")

    assert reply.status == 400
    assert reply.json["errors"][0]["pointer"] == "/category"
    assert reply.json["errors"][0]["rule"] == "must be one of the account's categories"
    assert (account.json["categories"], account.json["submit_rate"]) == (["notification"], 2)
