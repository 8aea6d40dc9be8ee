"""Every fault of the suite: its name on the command line, what tries it, and how often."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from tests.faults import carriers, clients, clocks, disks, files, namespaces, networks, receivers
from tests.faults.kills import gateway_killed
from tests.faults.outcome import Outcome
from tests.faults.world import Plan


class Fault(msgspec.Struct, frozen=True):
    """What tries a fault, and how often: in a long run, and in a short one (0: not at all)."""

    attempt: Callable[[Plan], Awaitable[Outcome]]
    times: int
    short_times: int


FAULTS: Final[Mapping[str, Fault]] = {
    "kill": Fault(gateway_killed, times=50, short_times=8),
    "restart": Fault(networks.carriers_restarted, times=20, short_times=2),
    "network": Fault(networks.mixed, times=24, short_times=3),
    "slow": Fault(networks.delayed, times=10, short_times=0),
    "torn": Fault(networks.torn, times=10, short_times=0),
    "cut": Fault(networks.cut, times=20, short_times=0),
    "reset": Fault(networks.cut_midway, times=20, short_times=0),
    "half-open": Fault(networks.half_open, times=10, short_times=0),
    "silent": Fault(networks.silent, times=10, short_times=0),
    "namespace": Fault(namespaces.link_lost, times=10, short_times=0),
    "tls": Fault(carriers.tls_cut, times=20, short_times=1),
    "certificate": Fault(carriers.certificates_changed, times=10, short_times=1),
    "names": Fault(carriers.names_not_found, times=10, short_times=1),
    "full": Fault(disks.full, times=10, short_times=1),
    "reserve": Fault(disks.reserved, times=10, short_times=1),
    "disk": Fault(disks.mixed, times=20, short_times=3),
    "read-only": Fault(disks.read_only, times=10, short_times=0),
    "writes": Fault(disks.failing_writes, times=10, short_times=0),
    "syncs": Fault(disks.failing_syncs, times=10, short_times=0),
    "torn-log": Fault(files.torn_log, times=20, short_times=1),
    "live-file": Fault(files.live_file_damaged, times=5, short_times=1),
    "old-file": Fault(files.old_file_damaged, times=5, short_times=1),
    "clock": Fault(clocks.wall_clock_stepped, times=20, short_times=2),
    "half-open-http": Fault(clients.half_open, times=2, short_times=1),
    "slow-bodies": Fault(clients.slow_bodies, times=2, short_times=1),
    "header-floods": Fault(clients.header_floods, times=2, short_times=1),
    "receiver": Fault(receivers.receiver_hangs, times=5, short_times=1),
}
