"""Held messages and the reviewers' word, over real sockets. What the word does to a message is delivery's to test."""

from typing import Any

import pytest

ADVERT = {"to": "13800138000", "text": "【阳光物业】酬宾", "category": "marketing"}
CODE = {"to": "13800138000", "text": "【阳光物业】验证码1234", "category": "otp"}


async def a_held_one(api: Any, body: dict[str, str] = ADVERT) -> str:
    reply = await api.post(body, key="held-key")
    assert (reply.status, reply.json["status"]) == (202, "held")
    return str(reply.json["id"])


async def say(api: Any, word: str, message_id: str, reason: str | None = None, *, key: str = "review-key") -> Any:
    path = f"/v1/messages/{message_id}/{word}"
    return await (
        api.call("POST", path, key=key) if reason is None else api.post({"reason": reason}, path=path, key=key)
    )


def lines(message: Any) -> list[tuple[str, str | None]]:
    return [(entry["status"], entry["reason"]) for entry in message["timeline"]]


async def test_held_messages_of_all_accounts_are_listed_oldest_first_page_by_page(api: Any) -> None:
    ids = [await a_held_one(api) for _ in range(5)]
    await api.post(ADVERT)

    first = await api.get("/v1/held?limit=3", key="review-key")
    second = await api.get(f"/v1/held?limit=3&cursor={first.json['cursor']}", key="review-key")

    shown = first.json["messages"] + second.json["messages"]
    assert [each["id"] for each in shown] == ids
    assert lines(shown[0]) == [("held", "category")]
    assert second.json["cursor"] is None


async def test_codes_are_masked_to_reviewers_everywhere(api: Any) -> None:
    message_id = await a_held_one(api, CODE)

    listed = await api.get("/v1/held", key="review-key")
    approved = await say(api, "approve", message_id)

    assert [each["text"] for each in listed.json["messages"]] == ["******"]
    assert approved.json["text"] == "******"


@pytest.mark.parametrize(
    ("word", "status", "reason"), [("approve", "queued", None), ("reject", "cancelled", "rejected")]
)
async def test_who_said_what_and_why_is_kept(api: Any, word: str, status: str, reason: str | None) -> None:
    message_id = await a_held_one(api)

    said = await say(api, word, message_id, "agreed with the owners")

    past = {"approve": "approved", "reject": "rejected"}[word]
    assert (said.status, said.json["status"]) == (200, status)
    expected = [("held", "category"), ("held", f"{past} by reviewer: agreed with the owners"), (status, reason)]
    assert lines(said.json) == expected
    assert lines((await api.get(f"/v1/messages/{message_id}", key="held-key")).json) == expected
    [audited] = (await api.audit.list(limit=10))[0]
    assert (audited.who, audited.what, audited.subject) == ("reviewer", f"message.{past}", message_id)
    assert audited.why == "agreed with the owners"


async def test_the_same_word_again_changes_nothing_and_the_other_is_a_conflict(api: Any) -> None:
    message_id = await a_held_one(api)
    first = await say(api, "approve", message_id)

    again = await say(api, "approve", message_id, "once more")
    other = await say(api, "reject", message_id)

    assert (again.status, again.json) == (200, first.json)
    assert lines(first.json)[1] == ("held", "approved by reviewer")
    assert (other.status, other.json["code"]) == (409, "not_held")
    assert len((await api.audit.list(limit=10))[0]) == 1


async def test_what_was_never_held_is_not_held(api: Any) -> None:
    message_id = (await api.post(ADVERT)).json["id"]

    for word in ("approve", "reject"):
        assert (await say(api, word, message_id)).json["code"] == "not_held"


async def test_what_is_not_there_is_not_found(api: Any) -> None:
    for message_id in ("1", "99999999999999999999", "x"):
        assert (await say(api, "approve", message_id)).status == 404


@pytest.mark.parametrize("key", ["held-key", "operate-key", "alpha-key"])
async def test_only_reviewers_review(api: Any, key: str) -> None:
    message_id = await a_held_one(api)

    assert (await api.get("/v1/held", key=key)).status == 403
    assert (await say(api, "approve", message_id, key=key)).status == 403
    assert (await say(api, "reject", message_id, key=key)).status == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"reason": 1}', "/reason"),
        (b'{"reason": "a\\nb"}', "/reason"),
        (b'{"reason": "%s"}' % (b"x" * 201), "/reason"),
        (b'{"because": "x"}', "/because"),
        (b"[]", ""),
    ],
)
async def test_a_wrong_body_is_named_and_nothing_is_said(api: Any, body: bytes, pointer: str) -> None:
    message_id = await a_held_one(api)

    reply = await api.post(body, path=f"/v1/messages/{message_id}/approve", key="review-key")

    assert (reply.status, reply.json["errors"][0]["pointer"]) == (400, pointer)
    assert len((await api.get("/v1/held", key="review-key")).json["messages"]) == 1


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=1001", "to=1"])
async def test_a_wrong_parameter_is_named(api: Any, query: str) -> None:
    reply = await api.get(f"/v1/held?{query}", key="review-key")

    assert (reply.status, reply.json["errors"][0]["parameter"]) == (400, query.partition("=")[0])


async def test_a_word_that_is_not_on_disk_is_503(api: Any) -> None:
    message_id = await a_held_one(api)
    api.store.break_down("the disk is full")

    assert (await say(api, "approve", message_id)).json["code"] == "store_unavailable"
