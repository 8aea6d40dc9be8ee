"""The command line can be put on a machine where no gateway runs: nothing else of ours is loaded with it."""

import subprocess
import sys


def test_it_loads_nothing_else_of_ours_and_no_event_loop() -> None:
    script = "import gateway.cli.__main__, sys; print(*sorted(name for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    ours = [name for name in loaded if name.startswith("gateway.") and not name.startswith("gateway.cli")]
    assert ours == []
    assert not {"aiohttp", "uvloop", "asyncio"} & set(loaded)
