"""The journal has every PDU, also those that sessions exchange for their own upkeep."""

from collections import Counter

from gateway.smpp import CommandId
from simulator import Simulator
from tests.simulator.clients import bound, eventually
from tests.simulator.conftest import quick_settings


async def test_keep_alives_and_unbinds_are_in_the_journal_with_their_answers() -> None:
    settings = quick_settings(smpp={"listen": "127.0.0.1:0", "enquire_link_seconds": 0.05})
    async with Simulator(settings) as simulator:
        async with bound(simulator.port) as client:
            await eventually(lambda: commands(simulator)[True, CommandId.ENQUIRE_LINK_RESP] > 0)
            await client.connection.unbind()
        await eventually(lambda: commands(simulator)[False, CommandId.UNBIND_RESP] > 0)
        seen = commands(simulator)
        assert seen[False, CommandId.ENQUIRE_LINK] >= seen[True, CommandId.ENQUIRE_LINK_RESP] > 0
        assert (seen[True, CommandId.UNBIND], seen[False, CommandId.UNBIND_RESP]) == (1, 1)

        async with bound(simulator.port):
            await simulator.unbind()
        seen = commands(simulator)
        assert (seen[False, CommandId.UNBIND], seen[True, CommandId.UNBIND_RESP]) == (1, 1)


def commands(simulator: Simulator) -> Counter[tuple[bool, int]]:
    """How many entries of the journal there are, by direction (True: taken) and command."""
    return Counter((entry.incoming, entry.command_id) for entry in simulator.journal)
