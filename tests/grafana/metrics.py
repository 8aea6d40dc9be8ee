"""The metrics that gateway and simulator have, as their sources name them."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_NAME = re.compile(r'"((?:gateway|simulator)_[a-z_]+)"')


def _named_in(*paths: str) -> frozenset[str]:
    return frozenset(name for path in paths for name in _NAME.findall((_ROOT / path).read_text(encoding="utf-8")))


GATEWAY = _named_in("gateway/metrics.py", "gateway/app.py")
SIMULATOR = _named_in("simulator/metrics.py")
