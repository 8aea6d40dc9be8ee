"""GET /v1/refusals: an account sees what was refused to it, and no number or text."""

import pytest

from tests.http.conftest import Api

BAD = {"to": "13800138000", "text": "没有签名的那种", "signature": "阳光", "client_ref": "r-1", "batch": "march"}


async def test_a_refused_message_is_told_of_without_its_number_and_text(api: Api) -> None:
    assert (await api.post(BAD)).status == 422
    reply = await api.get("/v1/refusals")
    assert reply.status == 200
    assert reply.json == {
        "refusals": [
            {
                "at": "2026-03-01T00:00:00.000+00:00",
                "account": "alpha",
                "to": "138****8000",
                "code": "signature_not_registered",
                "rule": None,
                "category": "notification",
                "batch": "march",
                "client_ref": "r-1",
            }
        ],
        "cursor": None,
    }
    assert b"13800138000" not in reply.body
    assert "签名的".encode() not in reply.body


async def test_an_account_sees_its_own_and_who_operates_everybodys(api: Api) -> None:
    await api.post(BAD)
    await api.post({"to": "1", "text": "【阳光物业】好"}, key="beta-key")
    assert [each["code"] for each in (await api.get("/v1/refusals")).json["refusals"]] == ["signature_not_registered"]
    assert [each["code"] for each in (await api.get("/v1/refusals", key="beta-key")).json["refusals"]] == [
        "invalid_number"
    ]
    both = (await api.get("/v1/refusals", key="operate-key")).json["refusals"]
    assert [each["account"] for each in both] == ["beta", "alpha"]


async def test_they_are_found_by_number_and_batch_and_page_by_page(api: Api) -> None:
    await api.post([{**BAD, "client_ref": f"r-{n}"} for n in range(5)])
    await api.post({**BAD, "batch": "april", "to": "13900138001"})
    found, cursor = [], ""
    while cursor is not None:
        path = f"/v1/refusals?batch=march&limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = (await api.get(path)).json
        found += [each["client_ref"] for each in page["refusals"]]
        cursor = page["cursor"]
    assert found == ["r-4", "r-3", "r-2", "r-1", "r-0"]
    by_number = (await api.get("/v1/refusals?to=%2B86 139 0013 8001")).json["refusals"]
    assert [each["batch"] for each in by_number] == ["april"]


@pytest.mark.parametrize(
    ("query", "parameter"), [("cursor=x", "cursor"), ("limit=0", "limit"), ("batch=", "batch"), ("since=1", "since")]
)
async def test_a_wrong_parameter_is_named(api: Api, query: str, parameter: str) -> None:
    reply = await api.get(f"/v1/refusals?{query}")
    assert reply.status == 400
    assert reply.json["errors"][0]["parameter"] == parameter


async def test_it_needs_the_scope_read(api: Api) -> None:
    assert (await api.get("/v1/refusals", key="send-key")).status == 403


async def test_a_search_has_its_filters_in_the_body_where_no_proxy_writes_them_down(api: Api) -> None:
    await api.post(BAD)
    await api.post({**BAD, "batch": "april", "to": "13900138001"})

    found = await api.post({"to": "139 0013 8001", "limit": 10}, path="/v1/refusals/search")
    wrong = await api.post({"since": 1}, path="/v1/refusals/search")
    array = await api.post([], path="/v1/refusals/search")

    assert [each["batch"] for each in found.json["refusals"]] == ["april"]
    assert (wrong.status, wrong.json["errors"]) == (400, [{"pointer": "/since", "rule": "is not a known member"}])
    assert array.status == 400
