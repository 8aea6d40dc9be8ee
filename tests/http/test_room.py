"""Past its limits the gateway takes nothing of a request, and when there is room again it does."""

import asyncio
from typing import Any

import pytest

from gateway.account import Account
from gateway.http.problems import Code, Problem
from gateway.http.room import Room
from gateway.http.settings import HttpSettings
from gateway.message import Entry, Status
from gateway.store.memory import MemoryStore

MESSAGE = {"to": "13800138000", "text": "【阳光物业】您好。"}


async def finish(api: Any, count: int) -> None:
    """So many of those accepted end."""
    ended = [record for record in api.accepted if not record.is_final][:count]
    for record in ended:
        record.state.status = Status.FAILED
        record.state.timeline.append(Entry(api.clock(), Status.FAILED))
        commit = api.store.update(record)
    await commit


async def test_past_the_limit_nothing_of_a_request_is_taken_and_below_it_all(make_api: Any) -> None:
    api = await make_api(max_open_messages=10)
    assert (await api.post([MESSAGE] * 8)).status == 202

    full = await api.post([MESSAGE] * 3)

    assert (full.status, full.json["code"], full.headers["Retry-After"]) == (429, "queue_full", "5")
    assert len(api.accepted) == 8
    assert (await api.post([MESSAGE] * 2)).status == 202
    assert (await api.post(MESSAGE)).status == 429
    await finish(api, 3)
    assert (await api.post([MESSAGE] * 3)).status == 202
    assert (await api.post(MESSAGE)).status == 429


async def test_a_request_that_was_refused_for_want_of_room_is_taken_whole_later(make_api: Any) -> None:
    api = await make_api(max_open_messages=1)
    body = MESSAGE | {"client_ref": "order-1"}
    await api.post(MESSAGE)
    assert (await api.post(body)).status == 429
    await finish(api, 1)
    assert (await api.post(body)).status == 202
    await finish(api, 1)
    assert (await api.post(body)).status == 200


async def test_many_requests_at_once_do_not_find_the_same_room(make_api: Any) -> None:
    api = await make_api(max_open_messages=100)

    replies = await asyncio.gather(*(api.post([MESSAGE] * 7) for _ in range(40)))

    taken = sum(reply.status == 202 for reply in replies)
    assert 1 <= taken <= 14
    assert len(api.accepted) == 7 * taken
    assert {reply.status for reply in replies} == {202, 429}
    assert (await api.post([MESSAGE] * (100 - 7 * taken))).status == 202


async def test_one_account_that_is_full_costs_others_nothing() -> None:
    store = MemoryStore()
    await store.open()
    room = Room(HttpSettings(), store)
    small, other = Account(name="small", max_open_messages=5), Account(name="other")
    with room.reserved(small, 5):
        with pytest.raises(Problem) as refused, room.reserved(small, 1):
            pass
        with room.reserved(other, 1_000):
            assert room.reserved_messages == 1_005
    assert refused.value.code is Code.QUEUE_FULL
    assert room.reserved_messages == 0
    with room.reserved(small, 5):
        pass


async def test_a_request_that_fails_gives_its_room_back(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(api.intake, "submit", broken)
        assert (await api.post([MESSAGE] * 9)).status == 500

    assert api.server._submit.in_progress == 0


async def test_while_the_disk_is_nearly_full_nothing_is_accepted_and_afterwards_it_is(api: Any) -> None:
    api.store.is_low = True
    full = await api.post([MESSAGE] * 3)
    assert (full.status, full.json["code"], full.headers["Retry-After"]) == (503, "store_unavailable", "5")
    assert api.accepted == []
    api.store.is_low = False
    assert (await api.post([MESSAGE] * 3)).status == 202
