"""/v1/opt-outs, over real sockets."""

from typing import Any

import pytest

from gateway.message import Category
from gateway.policy.consent import Scope

NUMBER = "+8613800138000"
ALPHA = Scope("阳光物业", NUMBER, Category.MARKETING)
AT = "2026-03-01T00:00:00.000+00:00"
SHOWN = {
    "to": NUMBER,
    "signature": "阳光物业",
    "category": "marketing",
    "at": AT,
    "source": "api",
    "account": "operator",
    "text": None,
    "message_id": None,
}


async def change(api: Any, method: str, path: str, **request: Any) -> Any:
    return await api.call(method, f"/v1/opt-outs/{path}", key="operate-key", **request)


async def send_file(api: Any, body: str, **request: Any) -> Any:
    headers = {"Content-Type": "text/csv"} | request.pop("headers", {})
    return await api.call(
        "POST", "/v1/opt-outs/import", key="operate-key", data=body.encode(), headers=headers, **request
    )


async def search(api: Any, **filters: Any) -> Any:
    return await api.post(filters, path="/v1/opt-outs/search", key="operate-key")


async def test_one_is_added_shown_and_removed(api: Any) -> None:
    added = await change(api, "PUT", "138%200013%208000?signature=阳光物业")
    listed = await api.get(f"/v1/opt-outs?to={NUMBER}", key="operate-key")
    removed = await change(api, "DELETE", f"{NUMBER}?signature=阳光物业&category=marketing")
    again = await change(api, "DELETE", f"{NUMBER}?signature=阳光物业")

    assert (added.status, added.json) == (200, SHOWN)
    assert listed.json == {"opt_outs": [SHOWN], "cursor": None}
    assert removed.json == {"to": NUMBER, "signature": "阳光物业", "category": "marketing", "removed": True}
    assert (again.status, again.json["removed"]) == (200, False)
    assert len(api.opt_outs) == 0


async def test_the_same_again_is_the_first(api: Any) -> None:
    first = await change(api, "PUT", f"{NUMBER}?signature=阳光物业")
    api.clock.now += 1_000

    assert (await change(api, "PUT", f"{NUMBER}?signature=阳光物业")).json == first.json


async def test_left_out_the_sender_is_everyone_and_the_category_marketing(api: Any) -> None:
    reply = await change(api, "PUT", NUMBER)

    assert (reply.json["signature"], reply.json["category"]) == (None, "marketing")
    assert api.opt_outs.bar("阳光物业", "alpha", NUMBER, Category.MARKETING)
    assert not api.opt_outs.bar("阳光物业", "alpha", NUMBER, Category.NOTIFICATION)
    assert (await change(api, "DELETE", NUMBER)).json["removed"] is True


async def test_without_a_signature_the_account_is_named(api: Any) -> None:
    await change(api, "PUT", f"{NUMBER}?signature=@alpha&category=notification")

    assert api.opt_outs.bar("", "alpha", NUMBER, Category.NOTIFICATION)
    assert not api.opt_outs.bar("", "beta", NUMBER, Category.NOTIFICATION)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("13800?signature=阳光物业", ["to"]),
        (f"{NUMBER}?signature=x", ["signature"]),
        (f"{NUMBER}?signature=@no+name", ["signature"]),
        (f"{NUMBER}?category=spam", ["category"]),
        (f"{NUMBER}?colour=red", ["colour"]),
        (f"{NUMBER}?category=otp&category=otp", ["category"]),
    ],
)
async def test_what_is_wrong_with_a_change_is_named(api: Any, path: str, parameters: list[str]) -> None:
    for method in ("PUT", "DELETE"):
        reply = await change(api, method, path)

        assert reply.status == 400
        assert [fault["parameter"] for fault in reply.json["errors"]] == parameters
        assert "13800" not in reply.body.decode()
    assert len(api.opt_outs) == 0


async def test_only_operators_see_and_change_them(api: Any) -> None:
    calls = [
        ("GET", "/v1/opt-outs"),
        ("PUT", f"/v1/opt-outs/{NUMBER}"),
        ("DELETE", f"/v1/opt-outs/{NUMBER}"),
        ("POST", "/v1/opt-outs/import"),
        ("POST", "/v1/opt-outs/search"),
    ]
    for key, status in (("alpha-key", 403), ("review-key", 403), (None, 401)):
        assert [(await api.call(method, path, key=key)).status for method, path in calls] == [status] * len(calls)


async def test_a_change_that_is_not_on_disk_is_503_and_does_not_hold(api: Any) -> None:
    api.store.break_down("the disk is full")

    reply = await change(api, "PUT", NUMBER)
    imported = await send_file(api, f"to\n{NUMBER}\n")

    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")
    assert "Retry-After" in reply.headers
    assert (imported.status, imported.json["code"]) == (503, "store_unavailable")
    assert len(api.opt_outs) == 0


async def test_pages_have_every_one_once_and_their_cursors_no_number(api: Any) -> None:
    await send_file(api, "to,signature\n" + "".join(f"138001380{n:02},阳光物业\n" for n in range(7)))
    for ask in ("get", "search"):
        seen, cursor = [], None
        while True:
            filters = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            if ask == "get":
                query = "&".join(f"{name}={value}" for name, value in filters.items())
                page = await api.get(f"/v1/opt-outs?{query}", key="operate-key")
            else:
                page = await search(api, **filters)
            seen += [each["to"] for each in page.json["opt_outs"]]
            cursor = page.json["cursor"]
            if cursor is None:
                break
            assert "138" not in cursor or "8001" not in cursor
        assert seen == [f"+86138001380{n:02}" for n in range(7)]


async def test_the_list_is_by_number_and_by_signature(api: Any) -> None:
    await send_file(api, "to,signature\n13800138000,阳光物业\n13800138001,丰收银行\n13800138001,阳光物业\n")

    by_number = await search(api, to="138 0013 8001")
    by_signature = await search(api, signature="丰收银行")

    assert [each["signature"] for each in by_number.json["opt_outs"]] == ["丰收银行", "阳光物业"]
    assert [each["to"] for each in by_signature.json["opt_outs"]] == ["+8613800138001"]


@pytest.mark.parametrize(
    "filters", [{"to": "1"}, {"signature": "【】"}, {"cursor": "x"}, {"limit": 0}, {"colour": "red"}]
)
async def test_a_wrong_filter_is_named(api: Any, filters: dict[str, Any]) -> None:
    reply = await search(api, **filters)

    assert reply.status == 400
    assert [fault["pointer"] for fault in reply.json["errors"]] == [f"/{name}" for name in filters]


async def test_a_file_is_taken_whole_or_its_lines_are_named(api: Any) -> None:
    good = await send_file(api, f"to,signature\n{NUMBER},阳光物业\n{NUMBER},阳光物业\n")
    bad = await send_file(api, "to,signature\n13900139000,阳光物业\n139001390,阳光物业\n13900139001,x\n")

    assert (good.status, good.json) == (200, {"lines": 2, "added": 1})
    assert ALPHA in api.opt_outs
    assert (bad.status, bad.json["code"]) == (400, "invalid_request")
    assert [(fault["line"], fault["parameter"]) for fault in bad.json["errors"]] == [(3, "to"), (4, "signature")]
    assert bad.json["detail"].startswith("line 3: to must be a phone number")
    assert "139001390" not in bad.body.decode()
    assert len(api.opt_outs) == 1


async def test_a_file_beyond_the_limit_is_429(api: Any) -> None:
    lines = "".join(f"138{n:08}\n" for n in range(10_001))

    reply = await send_file(api, f"to\n{lines}")

    assert (reply.status, reply.json["code"]) == (429, "queue_full")
    assert len(api.opt_outs) == 0


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}])
async def test_a_file_is_csv(api: Any, headers: dict[str, str]) -> None:
    assert (await send_file(api, "to\n", headers=headers)).status == 415


async def test_paths_under_it_take_their_methods_only(api: Any) -> None:
    assert (await api.call("PUT", "/v1/opt-outs/import", key="operate-key")).status == 405
    assert (await api.call("POST", f"/v1/opt-outs/{NUMBER}", key="operate-key")).status == 405
