"""A number that a carrier has blacklisted is left out there, after a restart too."""

from gateway.policy.consent import Suppressed
from gateway.store.memory import MemoryStore
from gateway.suppression import Suppressions

NUMBER, OTHER = "+8613800138000", "+8613900139000"


async def a_list(store: MemoryStore, *, limit: int = 100) -> tuple[Suppressions, Suppressed]:
    suppressed = Suppressed()
    made = Suppressions(suppressed, store, lambda: 1_000, limit=limit)
    await made.load()
    return made, suppressed


async def test_a_suppressed_number_is_so_at_that_carrier_at_once_and_after_a_restart() -> None:
    store = MemoryStore()
    await store.open()
    suppressions, suppressed = await a_list(store)

    commit = suppressions.suppress("cmcc-a", NUMBER, reason="MBBLACK")

    assert commit is not None
    assert suppressed.has("cmcc-a", NUMBER)
    assert not suppressed.has("cucc-a", NUMBER)
    assert not suppressed.has("cmcc-a", OTHER)
    assert suppressions.suppress("cmcc-a", NUMBER) is commit, "what is not on disk yet is waited for"
    await commit
    assert suppressions.suppress("cmcc-a", NUMBER) is None
    again, found = await a_list(store)
    assert found.has("cmcc-a", NUMBER)
    [(number, told)] = await again.list("cmcc-a", limit=10)
    assert (number, told.reason, told.at) == (NUMBER, "MBBLACK", 1_000)
    assert await again.list("cmcc", limit=10) == []


async def test_a_lifted_one_may_be_tried_again() -> None:
    store = MemoryStore()
    await store.open()
    suppressions, suppressed = await a_list(store)
    suppressions.suppress("cmcc-a", NUMBER)

    commit = suppressions.lift("cmcc-a", NUMBER)

    assert commit is not None
    assert not suppressed.has("cmcc-a", NUMBER)
    await commit
    assert suppressions.lift("cmcc-a", NUMBER) is None
    _, found = await a_list(store)
    assert not found


async def test_past_the_limit_no_more_are_kept() -> None:
    store = MemoryStore()
    await store.open()
    suppressions, suppressed = await a_list(store, limit=1)
    suppressions.suppress("cmcc-a", NUMBER)

    assert suppressions.suppress("cmcc-a", OTHER) is None
    assert not suppressed.has("cmcc-a", OTHER)
