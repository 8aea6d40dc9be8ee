"""The calls about ported numbers, over real sockets."""

import asyncio
from typing import Any

from gateway.numbers import Network

NUMBER = "+8613800138000"


async def test_ported_numbers_are_set_listed_and_forgotten(api: Any) -> None:
    rows = [{"number": "138 0013 8000", "network": "cucc"}, {"number": "+8618600138000", "network": "cbn"}]

    reply = await api.post(rows, path="/v1/ported", key="operate-key")

    assert (reply.status, reply.json) == (200, {"changed": 2})
    assert api.networks.network_of(NUMBER) is Network.CUCC
    page = await api.get("/v1/ported?limit=1", key="operate-key")
    assert page.json["ported"] == [{"number": NUMBER, "network": "cucc"}]
    following = await api.get(f"/v1/ported?limit=1&cursor={page.json['cursor']}", key="operate-key")
    assert following.json["ported"] == [{"number": "+8618600138000", "network": "cbn"}]

    await api.post([{"number": NUMBER, "network": None}], path="/v1/ported", key="operate-key")

    assert api.networks.network_of(NUMBER) is Network.CMCC
    reply = await api.get("/v1/ported", key="operate-key")
    assert reply.json == {"ported": [{"number": "+8618600138000", "network": "cbn"}], "cursor": None}


async def test_a_port_decides_the_network_of_the_next_message(api: Any) -> None:
    await api.post([{"number": NUMBER, "network": "ctcc"}], path="/v1/ported", key="operate-key")

    reply = await api.post({"to": NUMBER, "text": "【阳光物业】您好"})

    assert reply.json["error"]["code"] if "error" in reply.json else reply.json["code"] == "unroutable"


async def test_one_wrong_row_fails_all_and_shows_no_number(api: Any) -> None:
    rows = [
        {"number": NUMBER, "network": "cucc"},
        {"number": "12345678901", "network": "cucc"},
        {"number": "13800138001", "network": "satnet"},
        {"number": "+1 310 555 1234", "network": "cucc"},
        {"number": "13800138000", "network": "cbn"},
        {"number": "13800138002", "network": "cucc", "note": 1},
        {"number": "ab" * 32, "network": "cucc"},
    ]

    reply = await api.post(rows, path="/v1/ported", key="operate-key")

    assert reply.status == 400
    assert [fault["pointer"] for fault in reply.json["errors"]] == ["/1", "/2", "/3", "/4/number", "/5/note", "/6"]
    assert b"13800138" not in reply.body
    assert b"5551234" not in reply.body
    assert api.networks.network_of(NUMBER) is Network.CMCC


async def test_nothing_changes_while_the_store_cannot_be_written(api: Any) -> None:
    api.store.break_down("the disk is full")

    reply = await api.post([{"number": NUMBER, "network": "cucc"}], path="/v1/ported", key="operate-key")

    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")
    assert api.networks.network_of(NUMBER) is Network.CMCC


async def test_only_operators_may_see_or_change_ported_numbers(api: Any) -> None:
    statuses = await asyncio.gather(api.get("/v1/ported"), api.post([], path="/v1/ported"))

    assert [reply.status for reply in statuses] == [403, 403]


async def test_a_wrong_page_is_refused(api: Any) -> None:
    for query in ("cursor=%", "limit=0", "to=1", "cursor=_w=="):
        assert (await api.get(f"/v1/ported?{query}", key="operate-key")).status == 400, query
    assert (await api.post({}, path="/v1/ported", key="operate-key")).status == 400
    assert (await api.post([], path="/v1/ported", key="operate-key")).status == 400
