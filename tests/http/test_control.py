"""POST /v1/messages/{id}/cancel, and /v1/batches."""

from typing import Any

import pytest

from gateway.controls import BatchState, Cancelled, TooManyStopped
from gateway.message import Entry, Record, Status
from gateway.store.api import BatchTally, StoreUnavailableError
from tests.http.conftest import NOW

MESSAGE = {"to": "13800138000", "text": "【阳光物业】您好。"}
TALLY = BatchTally({Status.QUEUED: 3, Status.DELIVERED: 4}, refused=2, segments=9)


async def a_record(api: Any, status: Status) -> Record:
    await api.post([MESSAGE])
    record: Record = api.accepted[-1]
    record.state.status = status
    record.state.timeline.append(Entry(NOW, status))
    return record


async def test_a_cancelled_message_is_answered_as_it_is_then(api: Any) -> None:
    record = await a_record(api, Status.CANCELLED)
    api.controls.cancelled = Cancelled(record, done=True)

    reply = await api.call("POST", f"/v1/messages/{record.id}/cancel")

    assert (reply.status, reply.json["id"], reply.json["status"]) == (200, str(record.id), "cancelled")
    assert api.controls.asked == [("message", record.id, "alpha")]


async def test_a_message_that_cannot_be_called_back_is_409(api: Any) -> None:
    api.controls.cancelled = Cancelled(await a_record(api, Status.SENDING), done=False)

    reply = await api.call("POST", "/v1/messages/1/cancel")

    assert (reply.status, reply.json["code"]) == (409, "not_cancellable")
    assert "sending" in reply.json["detail"]
    assert "Retry-After" not in reply.headers


@pytest.mark.parametrize("message_id", ["1", "01", "x", "99999999999999999999"])
async def test_a_message_of_nobody_cannot_be_cancelled(api: Any, message_id: str) -> None:
    reply = await api.call("POST", f"/v1/messages/{message_id}/cancel")

    assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("key", ["operate-key", "send-key"])
async def test_a_key_acts_on_its_own_account_only(api: Any, key: str) -> None:
    await api.call("POST", "/v1/messages/7/cancel", key=key)

    assert api.controls.asked == [("message", 7, "operator" if key == "operate-key" else "alpha")]


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "", "state"),
        ("POST", "/pause", "pause"),
        ("POST", "/resume", "resume"),
        ("POST", "/cancel", "cancel"),
    ],
)
async def test_a_batch_is_answered_as_it_stands(api: Any, method: str, path: str, asked: str) -> None:
    api.controls.found = BatchState("paused", TALLY)

    reply = await api.call(method, f"/v1/batches/%E6%B0%B4%E8%B4%B9%2F7{path}")

    assert reply.status == 200
    assert reply.json == {
        "batch": "水费/7",
        "state": "paused",
        "total": 7,
        "counts": {"queued": 3, "delivered": 4},
        "refused": 2,
        "segments": 9,
    }
    assert api.controls.asked == [(asked, "alpha", "水费/7")]


@pytest.mark.parametrize("call", ["GET ", "POST /pause", "POST /resume", "POST /cancel"])
@pytest.mark.parametrize("batch", ["unknown", "%FF"])
async def test_a_batch_of_nobody_is_404(api: Any, call: str, batch: str) -> None:
    method, path = call.split(" ")

    reply = await api.call(method, f"/v1/batches/{batch}{path}")

    assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError("x"), 503, "store_unavailable"),
        (TooManyStopped(), 429, "queue_full"),
    ],
)
async def test_what_cannot_be_kept_is_not_done_and_may_be_tried_again(
    api: Any, error: Exception, status: int, code: str
) -> None:
    api.controls.error = error

    reply = await api.call("POST", "/v1/batches/march/pause")

    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.headers["Retry-After"] == "5"


async def test_a_batch_that_cannot_be_read_is_503(api: Any) -> None:
    api.controls.error = StoreUnavailableError("x")

    assert (await api.get("/v1/batches/march")).status == 503


async def test_reading_a_batch_needs_the_right_to_read_and_control_the_right_to_send(api: Any) -> None:
    assert (await api.get("/v1/batches/march", key="send-key")).status == 403
    assert (await api.call("POST", "/v1/batches/march/pause", key="review-key")).status == 403
    assert (await api.call("POST", "/v1/messages/1/cancel", key="review-key")).status == 403


async def test_what_is_refused_is_counted_by_batch(api: Any) -> None:
    bad = MESSAGE | {"to": "12"}
    await api.post([MESSAGE | {"batch": "march"}, bad | {"batch": "march"}, bad | {"batch": "may"}, bad])

    march, may = await api.store.batch("alpha", "march"), await api.store.batch("alpha", "may")

    assert (march.total, march.refused, march.segments) == (1, 1, 1)
    assert (may.total, may.refused) == (0, 1)
