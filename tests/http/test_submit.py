"""POST /v1/messages over real sockets, through the real intake to a store in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from gateway.http.settings import HttpSettings
from gateway.message import MessageId

Make = Callable[..., Awaitable[Any]]

HELLO = {"to": "13800138000", "text": "【阳光物业】您好"}


async def test_one_message_is_accepted_when_it_is_on_disk(api: Any) -> None:
    reply = await api.post(HELLO)

    assert reply.status == 202
    stored = await api.store.read(MessageId(int(reply.json["id"])))
    assert stored.message.text == "【阳光物业】您好"
    assert reply.json == {
        "id": str(stored.id),
        "status": "queued",
        "to": "+8613800138000",
        "parts": 1,
        "network": "cmcc",
    }


async def test_one_refused_message_is_a_problem_with_code_and_data(api: Any) -> None:
    reply = await api.post({"to": "13800138000", "text": "【别人家】您好"})

    assert reply.status == 422
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json == {
        "type": "urn:yizhan:problem:signature_not_registered",
        "title": "Signature not registered",
        "status": 422,
        "code": "signature_not_registered",
        "detail": "The signature 别人家 is not registered for this account.",
        "signature": "别人家",
    }
    assert api.accepted == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"to": "12345", "text": "您好"}, "invalid_number"),
        ({"to": "", "text": "您好"}, "invalid_number"),
        ({"to": "9" * 100_000, "text": "您好"}, "invalid_number"),
        ({"to": "18900138000", "text": "您好"}, "unroutable"),
        ({"to": "13800138000", "text": ""}, "invalid_text"),
        ({"to": "13800138000", "text": "a\x00b"}, "invalid_text"),
        ({"to": "13800138000", "text": "字" * 501}, "too_long"),
        ({"to": "13800138000", "text": "【a】您好"}, "signature_invalid"),
    ],
)
async def test_what_policy_refuses_is_refused_with_its_code(api: Any, message: dict[str, str], code: str) -> None:
    single = await api.post(message)
    array = await api.post([message])

    assert (single.status, single.json["code"]) == (422, code)
    assert array.status == 202
    assert array.json["accepted"] == 0
    assert array.json["refused"] == 1
    assert array.json["results"][0]["status"] == "refused"
    assert array.json["results"][0]["error"]["code"] == code


async def test_an_array_is_answered_in_its_order_each_message_by_itself(api: Any) -> None:
    reply = await api.post([HELLO, {"to": "12", "text": "x"}, {**HELLO, "to": "18600138000"}])

    assert reply.status == 202
    assert (reply.json["accepted"], reply.json["refused"]) == (2, 1)
    first, second, third = reply.json["results"]
    assert (first["to"], first["network"]) == ("+8613800138000", "cmcc")
    assert second == {
        "error": {
            "code": "invalid_number",
            "detail": "This number cannot be used: it is no mobile number of mainland China, "
            "and others need + or 00 and a country code",
        },
        "status": "refused",
    }
    assert (third["to"], third["network"]) == ("+8618600138000", "cucc")


async def test_ten_thousand_messages_are_answered_in_order(api: Any) -> None:
    numbers = [f"138{n:08}" for n in range(10_000)]

    reply = await api.post([{"to": number, "text": "您好"} for number in numbers])

    assert reply.json["accepted"] == 10_000
    assert [result["to"] for result in reply.json["results"]] == [f"+86{number}" for number in numbers]
    assert len(api.accepted) == 10_000


async def test_a_malformed_message_fails_the_whole_request(api: Any) -> None:
    reply = await api.post([HELLO, {"to": "13800138000"}])

    assert reply.status == 400
    assert reply.json["code"] == "invalid_request"
    assert reply.json["errors"] == [{"pointer": "/1/text", "rule": "is required"}]
    assert api.accepted == []


async def test_a_repeat_is_answered_with_the_first_message_and_its_present_status(api: Any) -> None:
    first = await api.post({**HELLO, "client_ref": "bill-1"})

    again = await api.post({**HELLO, "to": "+86 138 0013 8000", "client_ref": "bill-1"})
    in_array = await api.post([{**HELLO, "client_ref": "bill-1"}])

    assert again.status == 200
    assert again.json == {**first.json, "duplicate": True}
    assert in_array.status == 202
    assert in_array.json["results"] == [again.json]
    assert in_array.json["accepted"] == 1
    assert len(api.accepted) == 1


async def test_other_content_under_a_used_client_ref_is_a_conflict(api: Any) -> None:
    first = await api.post({**HELLO, "client_ref": "bill-1"})

    conflict = await api.post({**HELLO, "text": "您好吗", "client_ref": "bill-1"})

    assert conflict.status == 409
    assert (conflict.json["code"], conflict.json["id"]) == ("client_ref_conflict", first.json["id"])


async def test_the_same_idempotency_key_sends_nothing_twice(api: Any) -> None:
    headers = {"Idempotency-Key": "order-7"}

    single = [await api.post(HELLO, headers=headers) for _ in range(2)]
    arrays = [await api.post([HELLO, HELLO], headers=headers) for _ in range(2)]

    assert [reply.status for reply in single] == [202, 200]
    assert [result.get("duplicate", False) for result in arrays[0].json["results"]] == [False, False]
    assert [result.get("duplicate", False) for result in arrays[1].json["results"]] == [True, True]
    assert len(api.accepted) == 3


async def test_one_text_to_many_numbers_is_answered_like_an_array(api: Any) -> None:
    numbers = ["13800138000", "12", "+8613800138000", "18600138000", "12"]

    reply = await api.post({"to": numbers, "text": "您好", "client_ref": "notice"})

    assert reply.status == 202
    assert (reply.json["accepted"], reply.json["refused"]) == (3, 2)
    results = reply.json["results"]
    assert results[2] == {**results[0], "duplicate": True}
    assert "duplicate" not in results[0]
    assert [result["status"] for result in results] == ["queued", "refused", "queued", "queued", "refused"]
    assert [record.message.client_ref for record in api.accepted] == ["notice:0", "notice:3"]


async def test_messagepack_goes_in_and_comes_out(api: Any) -> None:
    headers = {"Content-Type": "application/msgpack"}

    single = await api.post(msgspec.msgpack.encode(HELLO), headers=headers)
    array = await api.post(msgspec.msgpack.encode([HELLO]), headers=headers)
    refused = await api.post(msgspec.msgpack.encode({**HELLO, "to": "1"}), headers=headers)
    as_json = await api.post(msgspec.msgpack.encode(HELLO), headers={**headers, "Accept": "application/json"})

    assert (single.status, single.headers["Content-Type"]) == (202, "application/msgpack")
    assert msgspec.msgpack.decode(single.body)["to"] == "+8613800138000"
    assert msgspec.msgpack.decode(array.body)["accepted"] == 1
    assert (refused.status, refused.headers["Content-Type"]) == (422, "application/msgpack")
    assert msgspec.msgpack.decode(refused.body)["code"] == "invalid_number"
    assert as_json.json["to"] == "+8613800138000"


async def test_nothing_is_acknowledged_that_could_not_be_written(api: Any) -> None:
    api.store.break_down("the disk is full")

    for content in (HELLO, [HELLO, HELLO], {**HELLO, "to": ["13800138000"]}, [HELLO, {"to": "1", "text": "x"}]):
        reply = await api.post(content)

        assert reply.status == 503
        assert reply.json["code"] == "store_unavailable"
        assert reply.headers["Retry-After"] == "5"
    assert api.accepted == []

    api.store.repair()
    assert (await api.post(HELLO)).status == 202


async def test_what_was_accepted_before_is_told_even_when_nothing_can_be_written(api: Any) -> None:
    await api.post({**HELLO, "client_ref": "first"})
    api.store.break_down("the disk is full")

    reply = await api.post([{**HELLO, "client_ref": "first"}, HELLO])

    assert reply.status == 202
    first, second = reply.json["results"]
    assert first["duplicate"] is True
    assert second["error"]["code"] == "store_unavailable"


async def test_a_stopping_gateway_accepts_nothing_and_goes_on_telling(api: Any) -> None:
    accepted = await api.post(HELLO)
    api.server.stop_accepting()

    refused = await api.post(HELLO)

    assert (refused.status, refused.json["code"], refused.headers["Retry-After"]) == (503, "stopping", "5")
    assert (await api.get(f"/v1/messages/{accepted.json['id']}")).status == 200
    assert (await api.get("/readyz")).status == 503
    assert (await api.get("/healthz")).status == 200


class HeldIntake:
    """Takes its time: answers when it is told to."""

    def __init__(self, intake: Any) -> None:
        self._intake = intake
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def submit(self, account: Any, drafts: Any) -> Any:
        self.asked.set()
        await self.go_on.wait()
        return await self._intake.submit(account, drafts)


async def test_a_request_under_way_is_finished_when_the_server_stops(api: Any) -> None:
    held = api.server._submit._intake = HeldIntake(api.intake)
    request = asyncio.create_task(api.post(HELLO))
    await held.asked.wait()

    stop = asyncio.create_task(api.server.stop())
    await asyncio.sleep(0.05)
    assert not stop.done()
    held.go_on.set()

    assert (await request).status == 202
    await stop


async def test_more_messages_at_once_than_the_limit_are_put_off(make_api: Make) -> None:
    api = await make_api(max_messages=10, max_messages_in_progress=15)
    held = api.server._submit._intake = HeldIntake(api.intake)
    first = asyncio.create_task(api.post([HELLO] * 10))
    await held.asked.wait()

    too_many = await api.post([HELLO] * 6)
    held.go_on.set()

    assert (too_many.status, too_many.json["code"], too_many.headers["Retry-After"]) == (429, "queue_full", "5")
    assert (await first).json["accepted"] == 10
    assert (await api.post([HELLO] * 6)).status == 202
    assert api.server._submit.in_progress == 0


async def test_a_client_that_hangs_up_loses_its_answer_and_not_its_message(api: Any) -> None:
    held = api.server._submit._intake = HeldIntake(api.intake)
    request = asyncio.create_task(api.post(HELLO))
    await held.asked.wait()
    request.cancel()
    await asyncio.sleep(0.05)

    held.go_on.set()
    await asyncio.sleep(0.05)

    assert len(api.accepted) == 1


async def test_a_smaller_limit_on_messages_holds(make_api: Make) -> None:
    api = await make_api(max_messages=3)

    assert (await api.post([HELLO] * 3)).status == 202
    assert (await api.post([HELLO] * 4)).status == 413
    assert (await api.post({**HELLO, "to": ["1"] * 4})).status == 413


def test_the_limits_of_the_contract_are_the_defaults() -> None:
    assert (HttpSettings().max_messages, HttpSettings().max_body_bytes) == (10_000, 8_388_608)
