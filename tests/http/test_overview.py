"""GET /v1/status, for operators alone."""

from typing import Any

import msgspec

from tests.http.conftest import OVERVIEW


async def test_operators_see_the_gateway_at_a_glance(api: Any) -> None:
    answer = await api.get("/v1/status", key="operate-key")

    assert answer.status == 200
    assert answer.json == msgspec.to_builtins(OVERVIEW)


async def test_it_is_everybodys_traffic_and_so_not_for_an_account(api: Any) -> None:
    assert (await api.get("/v1/status")).status == 403
    assert (await api.get("/v1/status", key=None)).status == 401
