"""On what a figure was measured: machine, versions, commit."""

import os
import platform
import subprocess
from pathlib import Path

from loadtest.files import CHECKOUT


def describe_machine() -> str:
    """Return processor, how many of it may be used, and memory."""
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores for this run, {_memory_gib():.0f} GiB"


def describe_versions() -> str:
    """Return Python, kernel and the commit that is checked out."""
    return f"Python {platform.python_version()}, Linux {platform.release()}, commit {commit()}"


def commit() -> str:
    """Return the short name of the commit, `+ changes` where files differ from it, or `unknown` outside a checkout."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return f"{name} + changes" if _git("status", "--porcelain", "--untracked-files=no") else name
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def file_system(path: Path) -> str:
    """Return the type of the file system that `path` is on: what a commit costs there depends on it."""
    place, kind = "", "unknown"
    resolved = str(path.resolve())
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, mounted_at, found, *_ = line.split()
        inside = mounted_at == "/" or resolved == mounted_at or resolved.startswith(mounted_at + "/")
        if inside and len(mounted_at) >= len(place):
            place, kind = mounted_at, found
    return kind


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(CHECKOUT), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
