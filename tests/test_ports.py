"""What is known of ported numbers survives a restart, and is changed whole or not at all."""

import asyncio

import pytest

from gateway.numbers import Network
from gateway.ports import LEARNED, Ports
from gateway.routing.learned import LearnedPorts
from gateway.routing.networks import Networks
from gateway.routing.ported import PortTable
from gateway.store.api import StoreError
from gateway.store.memory import MemoryStore
from tests.policy.samples import PLAN

NUMBER, OTHER, THIRD, MVNO = "+8613800138000", "+8613800138001", "+8613800138002", "+8617000138000"
DAY = 86_400_000


class Book:
    """Ports on a store that stays."""

    def __init__(self, *, limit: int = 10) -> None:
        self.store = MemoryStore()
        self.now = 1_000
        self.limit = limit
        self.start_again()

    def start_again(self) -> None:
        self.networks = Networks(
            PLAN,
            by_hand=PortTable(b"key"),
            learned=LearnedPorts(limit=self.limit, keep_milliseconds=120 * DAY),
        )
        self.ports = Ports(self.networks, self.store, lambda: self.now)


@pytest.fixture
async def book() -> Book:
    book = Book()
    await book.store.open()
    await book.ports.load()
    return book


async def test_ports_are_known_again_after_a_restart(book: Book) -> None:
    await book.ports.change({NUMBER: Network.CUCC, "ab" * 32: Network.CBN})
    assert book.ports.learn(OTHER, Network.CTCC)
    await asyncio.sleep(0.01)

    book.start_again()
    assert book.networks.network_of(NUMBER) is Network.CMCC
    await book.ports.load()

    assert book.networks.network_of(NUMBER) is Network.CUCC
    assert book.networks.network_of(OTHER) is Network.CTCC
    assert len(book.networks.by_hand) == 2


async def test_a_number_that_is_forgotten_stays_so(book: Book) -> None:
    await book.ports.change({NUMBER: Network.CUCC})
    await book.ports.change({NUMBER: None, OTHER: None})

    assert book.networks.network_of(NUMBER) is Network.CMCC
    assert await book.ports.listed(after="", limit=10) == []


async def test_nothing_changes_that_cannot_be_written(book: Book) -> None:
    book.store.break_down("the disk is full")

    with pytest.raises(StoreError):
        await book.ports.change({NUMBER: Network.CUCC})

    assert book.networks.network_of(NUMBER) is Network.CMCC


async def test_what_was_learned_long_ago_is_forgotten_on_disk_too(book: Book) -> None:
    book.ports.learn(NUMBER, Network.CUCC)
    book.now += 60 * DAY
    book.ports.learn(OTHER, Network.CUCC)
    book.now += 60 * DAY
    book.ports.expire()
    await asyncio.sleep(0.01)

    assert [key for key, _ in await book.store.entries(LEARNED, limit=10)] == [OTHER]
    assert book.networks.network_of(NUMBER) is Network.CMCC


async def test_a_start_keeps_the_newest_when_fewer_may_be_learned_now(book: Book) -> None:
    for number in (OTHER, NUMBER, THIRD):  # not in the order of their keys
        book.now += 1
        book.ports.learn(number, Network.CUCC)
    await asyncio.sleep(0.01)

    book.limit = 2
    book.start_again()
    await book.ports.load()
    await asyncio.sleep(0.01)

    assert [number for number, _, _ in book.networks.learned.items()] == [NUMBER, THIRD]
    assert [key for key, _ in await book.store.entries(LEARNED, limit=10)] == [NUMBER, THIRD]


async def test_numbers_that_cannot_be_taken_along_are_not_learned(book: Book) -> None:
    assert not book.ports.learn(MVNO, Network.CUCC)
    assert not book.ports.learn("+13105551234", Network.CUCC)
    assert not book.ports.learn(NUMBER, Network.SATNET)
