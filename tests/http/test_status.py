"""The pages about the gateway itself, over real sockets."""

from collections.abc import Awaitable, Callable
from typing import Any

Make = Callable[..., Awaitable[Any]]


async def test_healthz_says_ok_to_anybody_even_when_nothing_can_be_written(api: Any) -> None:
    api.store.break_down("the disk is full")

    reply = await api.get("/healthz", key=None)

    assert (reply.status, reply.json) == (200, {"status": "ok"})


async def test_readyz_shows_the_binds_and_does_not_need_them(api: Any) -> None:
    reply = await api.get("/readyz", key=None)

    assert reply.status == 200
    assert reply.json == {
        "ready": True,
        "store": "ok",
        "binds": [{"name": "cmcc-a-1", "state": "bound"}, {"name": "cmcc-a-2", "state": "down"}],
    }


async def test_readyz_is_503_before_recovery_is_done(api: Any) -> None:
    api.operations.is_ready = False

    reply = await api.get("/readyz", key=None)

    assert (reply.status, reply.json["ready"], reply.json["store"]) == (503, False, "ok")


async def test_readyz_is_503_while_nothing_can_be_written(api: Any) -> None:
    api.store.break_down("the disk is full")

    reply = await api.get("/readyz", key=None)

    assert (reply.status, reply.json["ready"], reply.json["store"]) == (503, False, "unavailable")


async def test_metrics_are_rendered_for_anybody_by_default(api: Any) -> None:
    reply = await api.get("/metrics", key=None)

    assert (reply.status, reply.body) == (200, b"gateway_up 1\n")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4"


async def test_metrics_can_need_a_key_of_their_own(make_api: Make) -> None:
    api = await make_api(metrics_need_key=True)

    statuses = [(await api.get("/metrics", key=key)).status for key in (None, "alpha-key", "metrics-key")]

    assert statuses == [401, 403, 200]


async def test_carriers_are_shown_to_operators(api: Any) -> None:
    reply = await api.get("/v1/carriers", key="operate-key")

    since = "2026-03-01T00:00:00.000+00:00"
    assert reply.json == {
        "carriers": [
            {
                "name": "cmcc-a",
                "state": "up",
                "rate": 1000.0,
                "queued": 7,
                "binds": [
                    {
                        "name": "cmcc-a-1",
                        "state": "bound",
                        "window": 100,
                        "in_use": 3,
                        "since": since,
                        "error": None,
                    },
                    {
                        "name": "cmcc-a-2",
                        "state": "down",
                        "window": 100,
                        "in_use": 0,
                        "since": since,
                        "error": "refused",
                    },
                ],
            }
        ]
    }
    assert (await api.get("/v1/carriers")).status == 403


async def test_an_account_is_told_what_its_key_may_do(api: Any) -> None:
    alpha = await api.get("/v1/account")
    high = await api.get("/v1/account", key="high-key")

    assert alpha.json == {
        "name": "alpha",
        "scopes": ["read", "send"],
        "signatures": ["阳光物业"],
        "senders": None,
        "allow_high": False,
        "categories": None,
        "submit_rate": None,
        "quotas": [],
    }
    assert (high.json["senders"], high.json["allow_high"], high.json["signatures"]) == (["1069"], True, None)
