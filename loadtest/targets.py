"""What a load drives: a simulator and a gateway of its own, or a gateway that runs already."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec

from loadtest.api import Api
from loadtest.burst import RECEIPTS_SECONDS, unhindered
from loadtest.configuration import Tables, read_tables, with_accounts
from loadtest.control import Control
from loadtest.options import HttpSettings, LoadSettings
from loadtest.rig import Rig, RigSettings, run_directory, start_rig

CONNECTIONS: Final = 256
# PDUs that a part makes are four; the audit needs the submits of all in the journal. About 300 octets each.
JOURNAL_ENTRIES_A_PART: Final = 5
SPARE_ENTRIES: Final = 200_000
MIX_PARTS: Final = 2  # of a message at most
# The receiver is this process, on loopback, and takes what comes.
_SECRET: Final = "whsec_" + "bG9hZC10ZXN0LXNlY3JldC1vbi1sb29wYmFjaw=="
_SECRETS: Final = frozenset({"key", "key_sha256", "password", "secret", "system_id"})


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a load drives. `rig` is None where somebody else runs it, `control` where there is no journal to see."""

    apis: Sequence[Api]
    rig: Rig | None
    control: Control | None
    config: Tables
    called_back: bool


@asynccontextmanager
async def open_target(settings: HttpSettings, callback_url: str) -> AsyncIterator[Target]:
    """What the load drives: a rig of its own, or a gateway that is there."""
    async with AsyncExitStack() as stack:
        if settings.url:
            apis = [
                await stack.enter_async_context(
                    Api(settings.url, key, connections=CONNECTIONS, allowed=settings.allowed)
                )
                for key in settings.keys
            ]
            control = Control(settings.simulator) if settings.simulator else None
            if control is not None:
                await stack.enter_async_context(control)
            yield Target(apis=apis, rig=None, control=control, config={}, called_back=False)
            return
        directory = await stack.enter_async_context(run_directory("load"))
        tables, keys = with_accounts(
            unhindered(read_tables(settings.config)),
            settings.config,
            settings.accounts,
            callback={"url": callback_url, "secret": _SECRET},
        )
        rig_settings = RigSettings(
            config=settings.config,
            tables=tables,
            simulator_tables=simulator_tables(settings),
            connections=CONNECTIONS,
        )
        rig = await stack.enter_async_context(start_rig(rig_settings, directory))
        apis = [await stack.enter_async_context(Api(rig.api.base_url, key, connections=CONNECTIONS)) for key in keys]
        yield Target(apis=apis, rig=rig, control=rig.control, config=tables, called_back=True)


def simulator_tables(settings: LoadSettings) -> Tables:
    low, high = RECEIPTS_SECONDS
    entries = round(settings.shape.arrivals * MIX_PARTS * JOURNAL_ENTRIES_A_PART * 1.1) + SPARE_ENTRIES
    return {
        "memory": {"journal_entries": entries},
        "receipts": {"delay_seconds": {"kind": "uniform", "low": low, "high": high}},
    }


def without_secrets(value: Any) -> Any:
    """Return a config as a report may show it."""
    if isinstance(value, dict):
        return {name: "(hidden)" if name in _SECRETS else without_secrets(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    return value
