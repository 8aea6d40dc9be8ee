import asyncio

from loadtest.accounting import Accounting
from loadtest.errors import CannotRun
from loadtest.openloop import MOST_OPEN, OpenLoop
from loadtest.receiver import EventSeen
from loadtest.supply import DEFAULT_MIX, Supply

TAG = "t-"


def make(post, *, batch: int = 1) -> tuple[OpenLoop, Accounting]:
    accounting = Accounting(TAG)
    supply = Supply(DEFAULT_MIX, iter(range(13800138000, 13900000000)), seed=1, tag=TAG)
    return OpenLoop(supply, accounting, [post], batch=batch), accounting


async def accept(_: bytes) -> tuple[int, bytes]:
    return 202, b'{"id":"1","status":"queued"}'


async def test_a_slow_answer_does_not_hold_up_what_is_due_next():
    released, sent = asyncio.Event(), 0

    async def stuck(_: bytes) -> tuple[int, bytes]:
        nonlocal sent
        sent += 1
        if sent == 20:
            released.set()  # only what comes after those that wait sets them free
        await released.wait()
        return await accept(_)

    load, accounting = make(stuck)
    await asyncio.wait_for(load.send([0.0] * 20), 20)
    assert accounting.accepted == 20


async def test_a_latency_counts_from_when_the_request_was_due():
    async def slow(_: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(0.1)
        return await accept(_)

    load, _ = make(slow)
    await load.send([-1.0])  # a second late already when it is sent
    assert load.stages.accept.latencies().longest >= 0.85
    assert load.stages.late.latencies().longest >= 0.75


async def test_each_answer_is_told_apart():
    answers = iter(
        [
            (202, b'{"id":"1","status":"queued"}'),
            (422, b'{"code":"frequency_cap","detail":""}'),
            (429, b"{}"),
            (503, b"{}"),
            (500, b"{}"),
            (202, b"not JSON"),
        ]
    )

    async def post(_: bytes) -> tuple[int, bytes]:
        return next(answers)

    load, accounting = make(post)
    await load.send([0.0] * 6)
    account = accounting.account()
    assert (account.accepted, account.refused, account.turned_away, account.failed) == (1, 1, 2, 2)
    assert load.errors == {"frequency_cap": 1, "429": 1, "503": 1, "500": 1, "an answer that cannot be read": 1}


async def test_no_answer_at_all_fails_the_messages_and_names_the_error():
    async def post(_: bytes) -> tuple[int, bytes]:
        raise CannotRun("nobody is there") from ConnectionResetError()

    load, accounting = make(post, batch=3)
    await load.send([0.0])
    assert accounting.account().failed == 3
    assert load.errors == {"ConnectionResetError": 1}


async def test_an_array_with_refusals_is_read_one_by_one():
    async def post(_: bytes) -> tuple[int, bytes]:
        return 202, (
            b'{"accepted":1,"refused":1,"results":[{"status":"queued","id":"1"},'
            b'{"status":"refused","error":{"code":"opted_out"}}]}'
        )

    load, accounting = make(post, batch=2)
    await load.send([0.0])
    assert (accounting.account().accepted, accounting.account().refused) == (1, 1)


async def test_what_would_be_too_many_open_requests_is_unsent_and_counted():
    released = asyncio.Event()

    async def stuck(_: bytes) -> tuple[int, bytes]:
        await released.wait()
        return await accept(_)

    load, accounting = make(stuck)
    sending = asyncio.create_task(load.send([0.0] * (MOST_OPEN + 7)))
    while load.requests < MOST_OPEN + 7:
        await asyncio.sleep(0.01)
    released.set()
    await sending
    assert (accounting.account().unsent, accounting.accepted) == (7, MOST_OPEN)


async def test_events_are_timed_from_when_their_message_was_due_and_by_category():
    load, accounting = make(accept)
    await load.send([0.0] * 200)
    load.take_events([EventSeen("message.delivered", f"{TAG}{n}") for n in range(200)])
    stages = load.stages.latencies()
    assert stages["final"].count == 200
    assert 0 < stages["otp_final"].count == accounting.kinds.count(0) < 200
    assert stages["final"].longest < 20
    assert accounting.ended == 200
