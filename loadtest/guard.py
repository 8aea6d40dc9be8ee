"""Whom a load may reach. Made-up numbers are somebody's: they go to this machine only, where no carrier is."""

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from loadtest.errors import CannotRun

MOST_NUMBERS: Final = 10_000_000
_NUMBER: Final = re.compile(r"1[3-9][0-9]{9}")


def check_target(url: str, *, allowed: str, numbers: Path | None) -> None:
    """Raise CannotRun where a load may not go to `url`: another machine needs to be named, and numbers of one's own."""
    check_host(url, allowed)
    if not is_loopback(_host(url)) and numbers is None:
        raise CannotRun(f"{url}: needs --numbers FILE: made-up numbers are never sent to real carriers")


def check_host(url: str, allowed: str = "") -> None:
    """Raise CannotRun when `url` leads to a machine that is neither this one nor the one that is allowed by name."""
    host = _host(url)
    if not is_loopback(host) and (not allowed or host != allowed.lower()):
        raise CannotRun(f"{url}: must be on loopback, or allowed by --allow {host or 'HOST'} --numbers FILE")


def is_loopback(host: str) -> bool:
    """Say whether a name or address is this machine for certain: no other name is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_numbers(path: Path) -> list[int]:
    """Return the numbers in a file, one of eleven digits a line. Raises CannotRun with the line that is none."""
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except (OSError, ValueError) as error:
        raise CannotRun(f"--numbers {path}: cannot be read: {error}") from error
    numbers = []
    for n, line in enumerate(lines, 1):
        number = line.strip()
        if not number or number.startswith("#"):
            continue
        if not _NUMBER.fullmatch(number):
            raise CannotRun(f"--numbers {path}: line {n}: must be a number of eleven digits, such as 13800138000")
        numbers.append(int(number))
    if not 1 <= len(numbers) <= MOST_NUMBERS:
        raise CannotRun(f"--numbers {path}: has {len(numbers)} numbers: must be 1 to {MOST_NUMBERS}")
    return numbers


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
