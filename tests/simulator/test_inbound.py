"""Messages of subscribers: of their own accord, and in reply."""

import pytest

from simulator.dice import Dice
from simulator.inbound import References, Stream, Unasked
from simulator.scenario import Inbound
from tests.simulator.clients import bound, eventually, id_of
from tests.simulator.conftest import Start


def stream(seed: int = 1, **settings: object) -> Stream:
    made = Stream(Dice(seed))
    made.change(Inbound(**settings))  # type: ignore[arg-type]
    made.begin(now=0.0)
    return made


def test_without_a_rate_nobody_writes() -> None:
    assert stream().next_due is None
    assert stream().take(now=1000.0) == []


def test_messages_come_at_their_rate_and_what_is_long_overdue_does_not() -> None:
    made = stream(messages_per_second=10.0)

    assert made.next_due == pytest.approx(0.1)
    assert len(made.take(now=0.55)) == 5
    assert len(made.take(now=1000.0)) in {10, 11}  # a second's worth


def test_the_same_seed_gives_the_same_messages() -> None:
    def some(seed: int) -> list[Unasked]:
        return stream(seed, messages_per_second=10.0, texts=("a", "b")).take(now=1.0)

    assert some(1) == some(1) != some(2)
    assert {(len(unasked.source), unasked.source[:9]) for unasked in some(1)} == {(13, "861390000")}
    assert {unasked.text for unasked in some(1)} == {"a", "b"}


def test_long_messages_have_references_of_their_own() -> None:
    references = References()

    first, second = (references.bodies("861", "106", "x" * 200) for _ in range(2))

    assert len(first) == len(second) == 2
    assert first[0].short_message[3] == first[1].short_message[3] != second[0].short_message[3]


async def test_subscribers_write_of_their_own_accord_while_somebody_receives(start: Start) -> None:
    inbound = {"messages_per_second": 50, "texts": ["x" * 200]}
    async with start(inbound=inbound) as simulator, bound(simulator.port) as client:
        await client.until(lambda: len(client.deliveries) >= 6)

    assert {delivery.esm_class for delivery in client.deliveries} == {0x40}
    assert {delivery.destination_addr for delivery in client.deliveries} == {"10690001"}


async def test_a_share_of_messages_is_replied_to_from_the_phone_to_the_source(start: Start) -> None:
    inbound = {"reply_share": 1, "reply_texts": ["N"], "reply_delay_seconds": 0.01}
    async with start(inbound=inbound, outcomes={"mix": {"NONE": 1}}) as simulator, bound(simulator.port) as client:
        id_of(await client.submit("8613800001234", source_addr="106900015"))
        await client.until(lambda: len(client.deliveries) == 1)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)

    [reply] = client.deliveries
    assert (reply.source_addr, reply.destination_addr, reply.short_message) == ("8613800001234", "106900015", b"N")


async def test_a_message_in_parts_is_replied_to_once(start: Start) -> None:
    inbound = {"reply_share": 1, "reply_delay_seconds": 0.01}
    async with start(inbound=inbound, outcomes={"mix": {"NONE": 1}}) as simulator, bound(simulator.port) as client:
        for number in (1, 2):
            part = bytes((5, 0, 3, 7, 2, number)) + b"part"
            await client.submit("8613800001234", esm_class=0x40, short_message=part)
        await client.until(lambda: len(client.deliveries) == 1)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)

    assert len(client.deliveries) == 1
