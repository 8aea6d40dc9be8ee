"""The files that come with the load tester: in a checkout, or where the wheel put them."""

import sys
from pathlib import Path
from typing import Final

from loadtest.errors import CannotRun

CHECKOUT: Final = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """Return the path of `name` in the config folder. Raises CannotRun where it did not come with this installation."""
    places = (CHECKOUT / "config" / name, Path(sys.prefix) / "share" / "yizhan" / "config" / name)
    for path in places:
        if path.exists():
            return path
    raise CannotRun(f"{name} is not here: looked for {' and '.join(map(str, places))}")
