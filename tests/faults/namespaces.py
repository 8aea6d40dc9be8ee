"""A carrier in a network namespace of its own, whose link is taken away: nothing is reset, packets are just gone."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from loadtest.configuration import Tables, change_carriers
from tests.faults.mounts import run
from tests.faults.outcome import Outcome
from tests.faults.world import MOST_COPIES, Plan, Site, world

_BETWEEN_SECONDS: Final = (0.5, 2.0)
# Now shorter than an answer may take, so that TCP mends it alone; now longer, so that both ends give up by themselves.
_AWAY_SECONDS: Final = ((0.5, 3.0), (9.0, 14.0))


class Link(msgspec.Struct, frozen=True):
    """A namespace, and the two ends of the one link into it."""

    namespace: str
    here: str
    there: str
    here_address: str
    there_address: str

    def set_up(self, *, up: bool) -> None:
        """Take the far end up, or down. Raises NotHereError."""
        run("ip", "-n", self.namespace, "link", "set", self.there, "up" if up else "down")


@contextmanager
def link() -> Iterator[Link]:
    """Make one, and remove it. Raises NotHereError."""
    number = os.getpid() % 16_384
    network = f"10.213.{number // 64}.{number % 64 * 4}"
    base, last = network.rsplit(".", 1)
    made = Link(f"yizhan{number}", f"yz{number}a", f"yz{number}b", f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}")
    run("ip", "netns", "add", made.namespace)
    try:
        run("ip", "link", "add", made.here, "type", "veth", "peer", "name", made.there, "netns", made.namespace)
        run("ip", "addr", "add", f"{made.here_address}/30", "dev", made.here)
        run("ip", "link", "set", made.here, "up")
        run("ip", "-n", made.namespace, "addr", "add", f"{made.there_address}/30", "dev", made.there)
        run("ip", "-n", made.namespace, "link", "set", "lo", "up")
        made.set_up(up=True)
        yield made
    finally:
        run("ip", "netns", "del", made.namespace)  # and the link with it


def _patient(tables: Tables) -> Tables:
    """A receipt for a part that nobody answered for is known by its reference only, until its deadline."""
    return change_carriers(tables, lambda carrier: {**carrier, "receipt_deadline_seconds": 30})


async def link_lost(plan: Plan) -> Outcome:
    """Take the link to both carriers away for a while, and bring it back."""
    with link() as made_link:
        site = Site(host=made_link.there_address, prefix=("ip", "netns", "exec", made_link.namespace))
        async with world(plan, site=site, change=_patient) as made:
            for n in range(plan.times):
                await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
                made_link.set_up(up=False)
                try:
                    await asyncio.sleep(plan.chance.uniform(*_AWAY_SECONDS[n % 2]))
                finally:
                    made_link.set_up(up=True)
                made.traffic.check()
                await made.bound()
            return await made.judged(
                "link into a network namespace lost and back", tried=plan.times, most_resend=plan.times * MOST_COPIES
            )
