"""What a load over HTTP is asked to do: its arguments, each checked before anything runs."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.arrivals import USAGES, Shape, parse_shape
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.guard import check_host, check_target
from loadtest.numbers import SHARES
from loadtest.plan import MOST_IN_A_REQUEST, MOST_MESSAGES
from loadtest.requirements import Requirement, parse_requirements
from loadtest.results import FIGURES
from loadtest.supply import DEFAULT_MIX, Kind
from loadtest.weights import parse_weights, shown

MOST_ACCOUNTS: Final = 100
MOST_SETTLE_SECONDS: Final = 86_400
_SECRET_OPTIONS: Final = ("--key", "--password")
_HIDDEN: Final = "(hidden)"


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every load is told: what to send, and what must be kept."""

    shape: Shape
    seed: int
    mix: Mapping[str, float]
    networks: Mapping[str, float]
    numbers: Path | None
    allowed: str
    simulator: str  # URL of its control HTTP
    settle_seconds: float  # after the last answer, until every message must be final
    requirements: Sequence[Requirement]
    report: Path
    command: str

    @property
    def plan(self) -> dict[str, Any]:
        """What is sent, for the report."""
        return {
            "arrivals": self.shape.text,
            "seconds": self.shape.seconds,
            "mix": shown(self.mix),
            "networks": shown(self.networks),
        }


class HttpSettings(LoadSettings, frozen=True, kw_only=True):
    """The same, and where to, over HTTP."""

    batch: int
    accounts: int
    url: str
    keys: Sequence[str]
    config: Path
    gateway_cores: Sequence[int]

    @property
    def plan(self) -> dict[str, Any]:
        """What is sent, for the report."""
        return {**super().plan, "batch": self.batch, "accounts": self.accounts}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_plan_arguments(parser)
    add_load_arguments(parser)
    add_http_arguments(parser)


def add_http_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe where to, over HTTP."""
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="messages in a request (100)")
    parser.add_argument("--accounts", type=int, default=1, metavar="N", help="that send, in turns (1)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's config (config/demo.toml)")
    parser.add_argument("--gateway-cores", default="", metavar="N,N", help="keep the gateway on these cores")
    parser.add_argument("--url", default="", help="a gateway that runs already, such as http://127.0.0.1:8080")
    parser.add_argument("--key", action="append", default=[], help="an account's key there; may come several times")


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe when messages arrive."""
    parser.add_argument("--plan", default="constant:1000", help=f"messages a second: {', '.join(USAGES)}")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long (10)")


def add_load_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what every load is told."""
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of arrivals, numbers and texts (1)")
    parser.add_argument("--mix", default=shown(DEFAULT_MIX), help="weights of code, notice, long, invitation")
    parser.add_argument("--networks", default=shown(SHARES), help="weights of cmcc, ctcc, cucc, cbn")
    parser.add_argument("--settle-seconds", type=float, default=60.0, metavar="N", help="until all are final (60)")
    parser.add_argument("--require", default="", metavar="LIST", help=f"such as accept_p99<50ms: {', '.join(FIGURES)}")
    parser.add_argument("--report", type=Path, metavar="DIRECTORY", help="where the report goes (var/load/TIME)")
    parser.add_argument("--simulator", default="", metavar="URL", help="control HTTP of the simulator behind it")
    parser.add_argument("--allow", default="", metavar="HOST", help="the one host that may be driven beside loopback")
    parser.add_argument("--numbers", type=Path, metavar="FILE", help="numbers to send to, one a line, in turns")


def settings_of(options: argparse.Namespace) -> HttpSettings:
    """Return the settings that the arguments make. Raises CannotRun with the one that is wrong."""
    check_range("batch", options.batch, MOST_IN_A_REQUEST)
    check_range("accounts", options.accounts, MOST_ACCOUNTS)
    if options.url:
        check_target(options.url, allowed=options.allow, numbers=options.numbers)
        if not options.key:
            raise CannotRun("--url: needs the --key of an account there")
    return HttpSettings(
        **common_settings(options),
        batch=options.batch,
        accounts=len(options.key) or options.accounts,
        url=options.url,
        keys=options.key,
        config=options.config or shipped("demo.toml"),
        gateway_cores=_cores(options.gateway_cores),
    )


def common_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of LoadSettings. Raises CannotRun with the argument that is wrong."""
    if not 0 <= options.settle_seconds <= MOST_SETTLE_SECONDS:
        raise CannotRun(f"--settle-seconds {options.settle_seconds:g}: must be 0 to {MOST_SETTLE_SECONDS}")
    shape = parse_shape(options.plan, seconds=options.seconds)
    if shape.arrivals > MOST_MESSAGES:
        raise CannotRun(f"--plan {shape.text}: makes {shape.arrivals:,.0f} messages: must be at most {MOST_MESSAGES:,}")
    if options.simulator:
        check_host(options.simulator)
    return {
        "shape": shape,
        "seed": options.seed,
        "mix": parse_weights(options.mix, [kind.name.lower() for kind in Kind], option="--mix"),
        "networks": parse_weights(options.networks, list(SHARES), option="--networks"),
        "numbers": options.numbers,
        "allowed": options.allow,
        "simulator": options.simulator,
        "settle_seconds": options.settle_seconds,
        "requirements": parse_requirements(options.require, FIGURES),
        "report": options.report or Path("var/load") / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "command": _command(sys.argv[1:]),
    }


def check_range(name: str, value: int, most: int) -> None:
    """Raise CannotRun where an argument is not 1 to `most`."""
    if not 1 <= value <= most:
        raise CannotRun(f"--{name} {value}: must be 1 to {most}")


def _cores(text: str) -> list[int]:
    try:
        cores = [int(each) for each in text.split(",") if each]
    except ValueError:
        raise CannotRun(f"--gateway-cores {text!r}: must be like 0 or 0,1") from None
    missing = set(cores) - os.sched_getaffinity(0)
    if missing:
        raise CannotRun(f"--gateway-cores {text!r}: this run may not use core {min(missing)}")
    return cores


def _command(arguments: Sequence[str]) -> str:
    """Return the command line, without keys and passwords."""
    hidden = [
        _HIDDEN
        if before in _SECRET_OPTIONS
        else argument.partition("=")[0] + f"={_HIDDEN}"
        if _is_secret(argument)
        else argument
        for before, argument in zip(["", *arguments], arguments, strict=False)
    ]
    return shlex.join(["python", "-m", "loadtest", *hidden])


def _is_secret(argument: str) -> bool:
    return argument.startswith(tuple(f"{option}=" for option in _SECRET_OPTIONS))
