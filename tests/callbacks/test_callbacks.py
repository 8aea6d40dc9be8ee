"""Every event reaches its receiver, in order, or is a dead letter that can be replayed."""

import asyncio
from collections import defaultdict

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.message import Status
from gateway.store.api import StoreDamagedError
from tests.callbacks.conftest import SECRET, Receiver, eventually, quick


async def test_a_final_state_is_told_once_with_what_the_application_needs(receiver, url, open_office):
    office = await open_office({"demo": quick(url)})
    [message_id] = await office.deliver(client_ref="order-7", batch="水费")
    await eventually(lambda: receiver.taken != [])
    [event] = receiver.taken
    assert (event["type"], event["id"], event["to"], event["client_ref"], event["batch"], event["corrects"]) == (
        "message.delivered",
        message_id,
        "+8613800138000",
        "order-7",
        "水费",
        None,
    )
    assert event["event_id"].isdecimal()
    assert event["at"].startswith("2027-01-15T08:00:00.")
    await eventually(lambda: office.waiting() == 0)
    assert office.count("delivered") == 1


async def test_a_correction_says_what_it_corrects(receiver, url, open_office):
    office = await open_office({"demo": quick(url)})
    [record] = await office.append()
    await office.enter(Status.UNKNOWN, record)
    await office.enter(Status.DELIVERED, record)
    await eventually(lambda: len(receiver.taken) == 2)
    assert [(event["type"], event["corrects"]) for event in receiver.taken] == [
        ("message.unknown", None),
        ("message.delivered", "unknown"),
    ]


async def test_the_library_of_standard_webhooks_verifies_what_is_sent(receiver, url, open_office):
    office = await open_office({"demo": quick(url)})
    await office.deliver()
    await eventually(lambda: receiver.taken != [])
    [request] = receiver.requests
    assert Webhook(SECRET).verify(request.body, request.headers) == {"events": receiver.taken}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)


async def test_what_comes_together_goes_together_and_no_more_than_a_batch_at_once(receiver, url, open_office):
    office = await open_office({"demo": quick(url, batch=100)})
    await office.deliver(1_000)
    await eventually(lambda: len(receiver.taken) == 1_000)
    assert max(len(request.events) for request in receiver.requests) <= 100
    assert len(receiver.requests) <= 40


async def test_the_events_of_a_message_come_in_order_whatever_fails(receiver, url, open_office):
    tries = iter(range(10_000))

    async def one_in_three(_):
        await asyncio.sleep(0.001)
        return web.Response(status=500 if next(tries) % 3 == 0 else 204)

    receiver.answer = one_in_three
    office = await open_office({"demo": quick(url, batch=7, concurrency=5)})
    records = await office.append(60)
    for status in (Status.UNKNOWN, Status.FAILED, Status.DELIVERED):
        await office.enter(status, *records)
    await eventually(lambda: len(receiver.taken) >= 180)
    by_message = defaultdict(list)
    for event in receiver.taken:
        by_message[event["id"]].append(event["type"])
    assert len(by_message) == 60
    assert all(types == ["message.unknown", "message.failed", "message.delivered"] for types in by_message.values())


async def test_a_try_again_has_the_ids_of_the_first(receiver, url, open_office):
    answers = iter([500, 500, 200])
    receiver.answer = lambda _: web.Response(status=next(answers, 200))
    office = await open_office({"demo": quick(url, concurrency=1)})
    await office.deliver(3)
    await eventually(lambda: len(receiver.taken) == 3)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({tuple(event["event_id"] for event in request.events) for request in receiver.requests}) == 1
    assert office.count("refused") == 6


async def test_a_redirect_is_a_refusal_and_leads_nowhere(receiver, url, open_office):
    other = Receiver()
    async with other.listening() as elsewhere:
        receiver.answer = lambda _: web.Response(status=307, headers={"Location": elsewhere})
        office = await open_office({"demo": quick(url)})
        await office.deliver()
        await eventually(lambda: len(receiver.requests) >= 3)
    assert other.requests == []
    assert {request.path for request in receiver.requests} == {"/hook"}


async def test_a_receiver_that_hangs_holds_up_its_own_account_only(receiver, url, open_office):
    hangs = Receiver()
    forever = asyncio.Event()

    async def hang(_):
        await forever.wait()
        return web.Response()

    hangs.answer = hang
    async with hangs.listening() as hanging:
        office = await open_office({"slow": quick(hanging, concurrency=3, batch=5), "demo": quick(url)})
        await office.deliver(500, account="slow")
        await office.deliver(500)
        await eventually(lambda: len(receiver.taken) == 500)
        assert office.waiting("slow") == 500
        assert len(hangs.requests) <= 3
        sender = office.callbacks._senders["slow"]
        assert sum(len(lane.events) for lane in sender._stream.lanes) <= 15  # the rest is on disk
        await office.stop()
        forever.set()


async def test_an_answer_that_does_not_come_in_time_is_tried_again(receiver, url, open_office):
    slow = iter([True, False])

    async def answer(_):
        if next(slow, False):
            await asyncio.sleep(5)
        return web.Response()

    receiver.answer = answer
    office = await open_office({"demo": quick(url, timeout_seconds=0.2)})
    await office.deliver()
    await eventually(lambda: receiver.taken != [])
    assert office.count("unreachable") == 1


async def test_an_event_that_is_refused_lets_the_others_pass_but_not_those_of_its_message(receiver, url, open_office):
    poison: set[str] = set()
    receiver.answer = lambda request: web.Response(
        status=422 if poison & {event["id"] for event in request.events} else 200
    )
    office = await open_office({"demo": quick(url, batch=8, concurrency=1)})
    records = await office.append(40)
    bad = records[11]
    poison.add(str(bad.id))
    await office.enter(Status.UNKNOWN, *records)
    await eventually(lambda: len(receiver.taken) == 39)
    await office.enter(Status.DELIVERED, *records)
    await eventually(lambda: len(receiver.taken) == 78)
    await eventually(lambda: office.waiting() == 2)
    poison.clear()
    await eventually(lambda: len(receiver.taken) == 80)
    assert [event["type"] for event in receiver.taken if event["id"] == str(bad.id)] == [
        "message.unknown",
        "message.delivered",
    ]
    await eventually(lambda: office.waiting() == 0)


async def test_what_is_refused_stays_apart_over_a_restart(receiver, url, open_office):
    poison: set[str] = set()
    receiver.answer = lambda request: web.Response(
        status=422 if poison & {event["id"] for event in request.events} else 200
    )
    office = await open_office({"demo": quick(url, concurrency=1)})
    [bad, good] = await office.append(2)
    poison.add(str(bad.id))
    await office.enter(Status.UNKNOWN, bad, good)
    await eventually(lambda: len(receiver.taken) == 1)
    await office.stop()
    again = await open_office({"demo": quick(url, concurrency=1)}, office.store)
    await again.enter(Status.DELIVERED, bad, good)
    await eventually(lambda: len(receiver.taken) == 2)
    poison.clear()
    await eventually(lambda: len(receiver.taken) == 4)
    assert [event["type"] for event in receiver.taken if event["id"] == str(bad.id)] == [
        "message.unknown",
        "message.delivered",
    ]


async def test_a_dead_receiver_makes_dead_letters_in_the_end_and_they_can_be_replayed(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, batch=10, retry_for_seconds=3_600)})
    sent = await office.deliver(25)
    await eventually(lambda: len(receiver.requests) >= 3)
    assert office.count("dead") == 0
    office.ahead_milliseconds = 3_600_000
    await eventually(lambda: office.count("dead") == 25)
    assert office.waiting() == 0
    failed, place = await office.callbacks.failed("demo", after=None, limit=10)
    rest, end = await office.callbacks.failed("demo", after=place, limit=100)
    assert sorted(str(each.event.message_id) for each in [*failed, *rest]) == sorted(sent)
    assert len(failed) == 10
    assert end is None
    assert {each.error for each in failed} == {"status 503"}
    receiver.answer = lambda _: web.Response()
    one = frozenset({failed[3].event.id})
    assert await office.callbacks.replay("demo", one) == 1
    await eventually(lambda: receiver.taken_messages == [str(failed[3].event.message_id)])
    assert await office.callbacks.replay("demo", one) == 0
    assert await office.callbacks.replay("demo", None) == 24
    await eventually(lambda: sorted(receiver.taken_messages) == sorted(sent))
    assert await office.callbacks.failed("demo", after=None, limit=10) == ([], None)
    await eventually(lambda: office.waiting() == 0)


async def test_a_replay_survives_a_crash(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, retry_for_seconds=3_600)})
    await office.deliver(5)
    office.ahead_milliseconds = 3_600_000
    await eventually(lambda: office.count("dead") == 5)
    assert await office.callbacks.replay("demo", None) == 5
    await office.stop(crash=True)
    receiver.answer = lambda _: web.Response()
    await open_office({"demo": quick(url)}, office.store)
    await eventually(lambda: len({event["event_id"] for event in receiver.taken}) == 5)


async def test_a_dead_letter_that_is_refused_again_holds_up_no_other_that_is_replayed(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, retry_for_seconds=3_600)})
    sent = await office.deliver(40)
    office.ahead_milliseconds = 3_600_000
    await eventually(lambda: office.count("dead") == 40)
    bad = sent[17]
    receiver.answer = lambda request: web.Response(
        status=422 if bad in {event["id"] for event in request.events} else 200
    )
    assert await office.callbacks.replay("demo", None) == 40
    await eventually(lambda: len(receiver.taken) == 39)
    await eventually(lambda: office.count("dead") == 41)
    [failed], _ = await office.callbacks.failed("demo", after=None, limit=9)
    assert (str(failed.event.message_id), failed.error) == (bad, "status 422")
    assert office.waiting() == 0


async def test_no_more_requests_are_under_way_than_may_be_with_those_that_go_apart(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, retry_for_seconds=3_600, concurrency=2, batch=3)})
    await office.deliver(30)
    office.ahead_milliseconds = 3_600_000
    await eventually(lambda: office.count("dead") == 30)
    now = most = 0

    async def linger(_):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.Response()

    receiver.answer = linger
    assert await office.callbacks.replay("demo", None) == 30
    await office.deliver(60)
    await eventually(lambda: len(receiver.taken) == 90)
    assert most == 2


async def test_events_that_could_not_be_read_are_told_when_they_can(receiver, url, open_office, monkeypatch):
    office = await open_office({"demo": quick(url)})
    read = office.store.events

    async def damaged(*_, **__):
        raise StoreDamagedError("a file cannot be read")

    monkeypatch.setattr(office.store, "events", damaged)
    await office.deliver(3)
    await asyncio.sleep(0.1)
    monkeypatch.setattr(office.store, "events", read)
    await eventually(lambda: len(receiver.taken) == 3)


async def test_past_the_limit_the_oldest_become_dead_letters(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, batch=5, limit=50)})
    sent = await office.deliver(200)
    await eventually(lambda: office.waiting() <= 50)
    failed, _ = await office.callbacks.failed("demo", after=None, limit=1_000)
    assert len(failed) + office.waiting() == 200
    assert {each.error for each in failed} == {"too many events wait"}
    receiver.answer = lambda _: web.Response()
    await eventually(lambda: office.waiting() == 0)
    assert sorted([*receiver.taken_messages, *(str(each.event.message_id) for each in failed)]) == sorted(sent)


async def test_what_was_not_taken_before_a_crash_is_told_after_it_and_nothing_is_forgotten(receiver, url, open_office):
    office = await open_office({"demo": quick(url, batch=10)})
    sent = await office.deliver(100)
    await eventually(lambda: len(receiver.taken) >= 30)
    receiver.answer = lambda _: web.Response(status=500)
    await office.stop(crash=True)
    more = Receiver()
    async with more.listening() as elsewhere:
        again = await open_office({"demo": quick(elsewhere)}, office.store)
        later = await again.deliver(10)
        await eventually(lambda: {*sent, *later} <= {*receiver.taken_messages, *more.taken_messages})
        known = {event["id"]: event["event_id"] for event in receiver.taken}
        assert all(known.get(event["id"], event["event_id"]) == event["event_id"] for event in more.taken)


async def test_what_was_taken_is_not_told_again_after_a_stop_in_order(receiver, url, open_office):
    office = await open_office({"demo": quick(url)})
    await office.deliver(50)
    await eventually(lambda: len(receiver.taken) == 50)
    await eventually(lambda: office.waiting() == 0)
    await office.stop()
    again = await open_office({"demo": quick(url)}, office.store)
    await again.deliver()
    await eventually(lambda: len(receiver.taken) == 51)


async def test_an_account_that_gets_a_url_is_told_of_what_happens_from_then_on(receiver, url, open_office):
    office = await open_office({"demo": quick("")})
    await office.deliver(5)
    await office.stop()
    again = await open_office({"demo": quick(url)}, office.store)
    [new] = await again.deliver()
    await eventually(lambda: receiver.taken_messages == [new])


async def test_the_store_that_cannot_be_written_loses_no_dead_letter(receiver, url, open_office):
    receiver.answer = lambda _: web.Response(status=503)
    office = await open_office({"demo": quick(url, retry_for_seconds=3_600)})
    await office.deliver(5)
    await eventually(lambda: receiver.requests != [])
    office.store.break_down("disk full")
    office.ahead_milliseconds = 3_600_000
    await asyncio.sleep(0.2)
    assert office.waiting() == 5
    office.store.repair()
    await eventually(lambda: office.count("dead") == 5)
    assert len((await office.callbacks.failed("demo", after=None, limit=10))[0]) == 5
