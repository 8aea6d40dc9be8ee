"""What only root may do: a small disk of one's own, a network namespace. Where it cannot be had, that is said."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotHereError(Exception):
    """This machine does not allow it; the message says what, and why."""


@contextmanager
def small_disk(directory: Path, *, mebibytes: int) -> Iterator[Path]:
    """A file system in memory of so many MiB. Raises NotHereError."""
    directory.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory))
    try:
        yield directory
    finally:
        run("umount", "--lazy", str(directory))


def run(*command: str) -> None:
    """Run a command that needs root. Raises NotHereError."""
    if os.geteuid() != 0:
        raise NotHereError(f"{command[0]} needs root")
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotHereError(f"there is no {command[0]}") from error
    if result.returncode:
        raise NotHereError(f"{' '.join(command)}: {result.stderr.strip()}")
