"""The gateway's clock: it never goes back, and no step of the wall clock touches it while the gateway runs.

Rolling caps are measured with it. It starts at the later of the wall clock and the last time on disk, so that a clock
that was put back while the gateway was stopped reopens nothing, and goes on with CLOCK_BOOTTIME, which counts the time
that a machine is suspended too (clock_gettime(2)).
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.message import Milliseconds

# Nanoseconds since the machine was started, suspended or not. Made of C alone: it is read for every message.
BOOT_CLOCK: Final[Callable[[], int]] = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)


class GatewayClock:
    """Milliseconds since 1970, ever growing. It can be moved ahead until it is first read."""

    def __init__(self, at_least: Milliseconds, *, boot: Callable[[], int] = BOOT_CLOCK) -> None:
        """`at_least`: the wall clock, or the last time on disk when that is later. `boot`: in nanoseconds."""
        self._boot = boot
        self._offset = at_least - boot() // 1_000_000

    def now(self) -> Milliseconds:
        return self._boot() // 1_000_000 + self._offset

    def advance_to(self, at_least: Milliseconds) -> None:
        """Something on disk tells of a later time."""
        self._offset = max(self._offset, at_least - self._boot() // 1_000_000)
