"""A wall clock at another hour for one child process, by a small library that is built when it is asked for."""

import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from loadtest.errors import CannotRun
from loadtest.files import CHECKOUT

SOURCE: Final = CHECKOUT / "tests" / "faults" / "shims" / "clock.c"

# Mainland China is one zone, and sending hours are hours there.
ZONE: Final = ZoneInfo("Asia/Shanghai")

_HOUR: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_COMPILER_SECONDS: Final = 60
_MOMENT_SECONDS: Final = 300.0  # from reading a clock to looking at it; hours are what is moved


def offset_seconds(hour: str, *, now: datetime) -> float:
    """Return how far the clock has to move for it to be `hour` (HH:MM, in ZONE) of today. Raises CannotRun."""
    match = _HOUR.fullmatch(hour)
    if match is None:
        raise CannotRun(f"DEMO_WALL_CLOCK={hour}: must be an hour of the day, such as 23:30")
    local = now.astimezone(ZONE)
    return (local.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0) - local).total_seconds()


def shifted_environment(seconds: float, directory: Path) -> dict[str, str]:
    """Return what to add to a process's environment for its wall clock to be off by `seconds`. Raises CannotRun."""
    libraries = [str(build(SOURCE, directory)), os.environ.get("LD_PRELOAD", "")]
    return {"LD_PRELOAD": ":".join(filter(None, libraries)), "YIZHAN_CLOCK_OFFSET_SECONDS": f"{seconds:.3f}"}


def check_shift(shown: datetime, seconds: float, *, now: datetime) -> None:
    """Raise CannotRun when `shown`, read from the other clock a moment ago, is not off by `seconds`.

    A library that cannot be loaded is passed over with a warning that nobody reads.
    """
    if abs((shown - now).total_seconds() - seconds) > _MOMENT_SECONDS:
        raise CannotRun(
            f"the clock should be off by {seconds:.0f} s, and is off by {(shown - now).total_seconds():.0f}"
        )


def build(source: Path, directory: Path) -> Path:
    """Compile `source` to a library in `directory`, and return its path. Raises CannotRun."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CannotRun(f"{source.name} has to be compiled, and there is neither gcc nor cc")
    if not source.exists():
        raise CannotRun(f"{source} is not here: a wall clock can be moved in a checkout only")
    library = directory / f"{source.stem}.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILER_SECONDS, check=False)  # noqa: S603
    if result.returncode != 0:
        raise CannotRun(f"{source} does not compile:\n{result.stderr.strip()}")
    return library
