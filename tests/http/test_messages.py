"""GET of one message, the list and the search, over real sockets."""

from typing import Any

import msgspec
import pytest

from gateway.message import Attempt, Entry, MessageId, Part, PartStatus, Status, first_id_at

NOW = 1_772_323_200_000  # 2026-03-01T00:00:00Z
DAY = 86_400_000
HELLO = {"to": "13800138000", "text": "您好"}
OTP = {"to": "13800138000", "text": "您的验证码是246810", "category": "otp"}


async def submit(api: Any, *, key: str = "alpha-key", **changed: Any) -> str:
    reply = await api.post({**HELLO, **changed}, key=key)
    assert reply.status == 202, reply.json
    message_id: str = reply.json["id"]
    return message_id


async def test_a_message_is_shown_with_everything_that_was_asked(api: Any) -> None:
    message_id = await submit(api, batch="march", client_ref="bill-1")

    reply = await api.get(f"/v1/messages/{message_id}")

    assert reply.status == 200
    assert reply.json == {
        "id": message_id,
        "status": "queued",
        "to": "+8613800138000",
        "account": "alpha",
        "category": "notification",
        "batch": "march",
        "client_ref": "bill-1",
        "network": "cmcc",
        "signature": "阳光物业",
        "text": "【阳光物业】您好",
        "parts": [{"n": 1, "status": "waiting", "attempts": []}],
        "timeline": [{"at": "2026-03-01T00:00:00.000+00:00", "status": "queued", "reason": None}],
    }


async def test_what_was_not_given_is_null(api: Any) -> None:
    shown = (await api.get(f"/v1/messages/{await submit(api, key='beta-key', to='+13105551234')}", key="beta-key")).json

    assert (shown["batch"], shown["client_ref"], shown["signature"]) == (None, None, None)


async def test_every_attempt_of_every_part_is_shown(api: Any) -> None:
    message_id = await submit(api)
    record = await api.store.read(MessageId(int(message_id)))
    attempts = (
        Attempt("cmcc-a", "cmcc-a-1", NOW + 10, error="timeout"),
        Attempt("cmcc-a", "cmcc-a-2", NOW + 1234, carrier_message_id="7f3a", command_status=0),
    )
    record.state.parts[0] = Part(PartStatus.SUBMITTED, attempts)
    record.state.status = Status.SUBMITTED
    record.state.timeline.append(Entry(NOW + 1234, Status.SUBMITTED, "resent"))
    await api.store.update(record)

    shown = (await api.get(f"/v1/messages/{message_id}")).json

    assert shown["status"] == "submitted"
    assert shown["parts"] == [
        {
            "n": 1,
            "status": "submitted",
            "attempts": [
                {
                    "carrier": "cmcc-a",
                    "bind": "cmcc-a-1",
                    "carrier_message_id": None,
                    "command_status": None,
                    "error": "timeout",
                    "at": "2026-03-01T00:00:00.010+00:00",
                },
                {
                    "carrier": "cmcc-a",
                    "bind": "cmcc-a-2",
                    "carrier_message_id": "7f3a",
                    "command_status": 0,
                    "error": None,
                    "at": "2026-03-01T00:00:01.234+00:00",
                },
            ],
        }
    ]
    assert shown["timeline"][1] == {"at": "2026-03-01T00:00:01.234+00:00", "status": "submitted", "reason": "resent"}


@pytest.mark.parametrize(
    "wrong", ["1", "0", "x", "-1", "1.0", "%31", "９", "9223372036854775808", "9" * 30, "0{id}", "{id}x", "{id}%20"]
)
async def test_an_unknown_id_is_not_found_whatever_it_looks_like(api: Any, wrong: str) -> None:
    path = "/v1/messages/" + wrong.replace("{id}", await submit(api))

    reply = await api.get(path)

    assert (reply.status, reply.json["code"]) == (404, "not_found")


async def test_a_list_has_the_newest_first(api: Any) -> None:
    ids = [await submit(api) for _ in range(3)]

    reply = await api.get("/v1/messages")

    assert [message["id"] for message in reply.json["messages"]] == ids[::-1]
    assert reply.json["cursor"] is None
    assert reply.json["messages"][0] == (await api.get(f"/v1/messages/{ids[2]}")).json


async def test_an_empty_list_is_a_list(api: Any) -> None:
    assert (await api.get("/v1/messages")).json == {"messages": [], "cursor": None}


async def test_a_cursor_leads_through_the_whole_list_once(api: Any) -> None:
    await api.post([HELLO] * 25)
    seen: list[str] = []
    cursor = ""
    pages = 0
    while cursor is not None:
        page = (await api.get("/v1/messages?limit=10" + (f"&cursor={cursor}" if cursor else ""))).json
        seen += [message["id"] for message in page["messages"]]
        cursor = page["cursor"]
        pages += 1

    assert pages == 3
    assert len(set(seen)) == 25
    assert seen == sorted(seen, key=int, reverse=True)


async def test_a_page_has_a_hundred_messages_unless_another_limit_is_given(api: Any) -> None:
    await api.post([HELLO] * 1500)

    counts = [len((await api.get(path)).json["messages"]) for path in ("/v1/messages", "/v1/messages?limit=1000")]

    assert counts == [100, 1000]


@pytest.mark.parametrize(
    "query",
    [
        "to=13800138001",
        "to=%2B8613800138001",
        "to=+8613800138001",
        "to=138-0013-8001",
        "to=008613800138001",
        "client_ref=r%201",
        "client_ref=r+1",
        "batch=%E6%B0%B4",
        "to=13800138001&batch=%E6%B0%B4&status=queued",
        "since=2026-03-01T00:00:00Z&batch=%E6%B0%B4",
        "since=2026-03-01T08:00:00+08:00&batch=%E6%B0%B4",
        "since=2026-03-01T08:00:00%2B08:00&batch=%E6%B0%B4",
    ],
)
async def test_every_filter_finds_what_it_names_and_nothing_else(api: Any, query: str) -> None:
    wanted = await submit(api, to="13800138001", client_ref="r 1", batch="水")
    await submit(api)

    listed = (await api.get("/v1/messages?" + query)).json

    assert [message["id"] for message in listed["messages"]] == [wanted]


async def test_a_foreign_number_is_found_though_its_plus_became_a_space(api: Any) -> None:
    wanted = await submit(api, to="+13105551234")

    listed = (await api.get("/v1/messages?to=+13105551234")).json

    assert [message["id"] for message in listed["messages"]] == [wanted]


async def test_a_search_is_the_same_list_with_its_filters_in_the_body(api: Any) -> None:
    wanted = await submit(api, to="13800138001", batch="水")
    await submit(api)
    filters = {"to": "+86 138 0013 8001", "batch": "水", "status": "queued", "limit": 5, "cursor": None}

    as_json = await api.call("POST", "/v1/messages/search", json=filters)
    as_msgpack = await api.call(
        "POST",
        "/v1/messages/search",
        data=msgspec.msgpack.encode(filters),
        headers={"Content-Type": "application/msgpack"},
    )

    assert [message["id"] for message in as_json.json["messages"]] == [wanted]
    assert msgspec.msgpack.decode(as_msgpack.body) == as_json.json


async def test_a_search_pages_like_the_list(api: Any) -> None:
    await api.post([HELLO] * 3)

    first = (await api.call("POST", "/v1/messages/search", json={"limit": 2})).json
    second = (await api.call("POST", "/v1/messages/search", json={"limit": 2, "cursor": first["cursor"]})).json

    assert [len(page["messages"]) for page in (first, second)] == [2, 1]
    assert second["cursor"] is None


async def test_a_list_goes_back_a_day_unless_it_is_told_since_when(api: Any) -> None:
    old = await submit(api)
    api.clock.now = NOW + DAY + 1
    new = await submit(api)

    default = (await api.get("/v1/messages")).json
    since = (await api.get("/v1/messages?since=2026-03-01T00:00:00Z")).json

    assert [message["id"] for message in default["messages"]] == [new]
    assert [message["id"] for message in since["messages"]] == [new, old]


@pytest.mark.parametrize(("since", "count"), [("0001-01-01T00:00:00Z", 1), ("9999-12-31T23:59:59Z", 0)])
async def test_a_list_since_the_ends_of_time_is_a_list(api: Any, since: str, count: int) -> None:
    await submit(api)
    asked = []
    find = api.store.find
    api.store.find = lambda query: asked.append(query) or find(query)

    listed = (await api.get(f"/v1/messages?since={since}")).json

    assert len(listed["messages"]) == count
    assert first_id_at(asked[0].since) < 2**63


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("status=lost", "status"),
        ("since=yesterday", "since"),
        ("since=2026-03-01T00:00:00", "since"),
        ("to=abc", "to"),
        ("cursor=abc", "cursor"),
        ("cursor=AQAAAAAAAAAA!", "cursor"),
        ("cursor=__________8=", "cursor"),
        ("cursor=Af__________", "cursor"),
        ("cursor=%E6%B0%B4", "cursor"),
        ("since=0.5", "since"),
        ("since=1772323200", "since"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("batch=" + "x" * 65, "batch"),
        ("client_ref=", "client_ref"),
        ("to=%FF", "?"),
        ("&".join(f"a{n}=1" for n in range(30)), "?"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Any, query: str, parameter: str) -> None:
    reply = await api.get("/v1/messages?" + query)

    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    assert reply.json["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limit": "10"}, "/limit"),
        ({"to": "abc"}, "/to"),
        ({"cursor": "abc"}, "/cursor"),
        ({"colour": 1}, "/colour"),
        ([], ""),
        ("x", ""),
    ],
)
async def test_a_wrong_filter_of_a_search_is_named(api: Any, body: object, pointer: str) -> None:
    reply = await api.call("POST", "/v1/messages/search", json=body)

    assert reply.status == 400
    assert reply.json["errors"][0]["pointer"] == pointer


async def test_a_search_has_a_small_body(api: Any) -> None:
    assert (await api.call("POST", "/v1/messages/search", json={"batch": "x" * 70_000})).status == 413


async def test_a_wrong_number_in_a_filter_is_not_quoted(api: Any) -> None:
    for reply in (
        await api.get("/v1/messages?to=138001380001380013800013800"),
        await api.call("POST", "/v1/messages/search", json={"to": 13800138000}),
    ):
        assert reply.status == 400
        assert b"13800138000" not in reply.body


async def test_an_account_sees_its_own_messages_only(api: Any) -> None:
    alpha = await submit(api, client_ref="same", batch="same")
    beta = await submit(api, key="beta-key", text="【月光物业】您好", client_ref="same", batch="same")

    for key, own, other in [("alpha-key", alpha, beta), ("beta-key", beta, alpha)]:
        assert (await api.get(f"/v1/messages/{own}", key=key)).status == 200
        hidden = await api.get(f"/v1/messages/{other}", key=key)
        unknown = await api.get("/v1/messages/12345", key=key)
        assert hidden.status == unknown.status == 404
        assert hidden.body == unknown.body
        for query in ("", "?client_ref=same", "?batch=same", "?to=13800138000", "?status=queued"):
            listed = (await api.get("/v1/messages" + query, key=key)).json["messages"]
            assert [message["id"] for message in listed] == [own]
        searched = (await api.call("POST", "/v1/messages/search", key=key, json={"client_ref": "same"})).json[
            "messages"
        ]
        assert [message["id"] for message in searched] == [own]


async def test_a_client_ref_belongs_to_its_account(api: Any) -> None:
    alpha = await api.post({**HELLO, "text": "【阳光物业】您好", "client_ref": "same"})
    beta = await api.post({**HELLO, "text": "【阳光物业】您好", "client_ref": "same"}, key="beta-key")

    assert (alpha.status, beta.status) == (202, 202)
    assert alpha.json["id"] != beta.json["id"]


async def test_another_accounts_cursor_shows_nothing_of_it(api: Any) -> None:
    await api.post([HELLO] * 3)
    await submit(api, key="beta-key", text="【月光物业】您好")
    cursor = (await api.get("/v1/messages?limit=1")).json["cursor"]

    listed = (await api.get(f"/v1/messages?cursor={cursor}", key="beta-key")).json["messages"]

    assert [message for message in listed if message["account"] != "beta"] == []


async def test_two_keys_of_one_account_see_the_same(api: Any) -> None:
    message_id = await submit(api)

    assert (await api.get(f"/v1/messages/{message_id}", key="alpha-new-key")).status == 200


@pytest.mark.parametrize("key", ["operate-key", "review-key"])
async def test_operators_and_reviewers_see_all_but_the_codes(api: Any, key: str) -> None:
    alpha = await submit(api)
    secret = (await api.post(OTP)).json["id"]
    await submit(api, key="beta-key", text="【月光物业】您好")

    listed = (await api.get("/v1/messages", key=key)).json["messages"]
    one = (await api.get(f"/v1/messages/{secret}", key=key)).json

    assert {message["account"] for message in listed} == {"alpha", "beta"}
    assert one["text"] == "******"
    assert {message["id"]: message["text"] for message in listed}[secret] == "******"
    assert {message["id"]: message["text"] for message in listed}[alpha] == "【阳光物业】您好"
    assert (await api.get(f"/v1/messages/{secret}")).json["text"] == "【阳光物业】您的验证码是246810"
