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

from loadtest.arrivals import Shape, parse_shape
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


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, where, and what must be kept."""

    shape: Shape
    batch: int
    seed: int
    mix: Mapping[str, float]
    networks: Mapping[str, float]
    accounts: int
    numbers: Path | None
    url: str
    keys: Sequence[str]
    allowed: str
    simulator: str
    config: Path
    gateway_cores: Sequence[int]
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
            "batch": self.batch,
            "mix": shown(self.mix),
            "networks": shown(self.networks),
            "accounts": self.accounts,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_load_arguments(parser)
    parser.add_argument("--url", default="", help="a gateway that runs already, such as http://127.0.0.1:8080")
    parser.add_argument("--key", action="append", default=[], help="an account's key there; may come several times")
    parser.add_argument("--simulator", default="", metavar="URL", help="control HTTP of the simulator behind it")
    parser.add_argument("--allow", default="", metavar="HOST", help="the one host that may be driven beside loopback")
    parser.add_argument("--numbers", type=Path, metavar="FILE", help="numbers to send to, one a line, in turns")


def add_load_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what is sent and what is asked of it."""
    parser.add_argument("--plan", default="constant:1000", help="messages a second: constant:N, poisson:N, ramp:A,B, …")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long (10)")
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="messages in a request (100)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of arrivals, numbers and texts (1)")
    parser.add_argument("--mix", default=shown(DEFAULT_MIX), help="weights of code, notice, long, invitation")
    parser.add_argument("--networks", default=shown(SHARES), help="weights of cmcc, ctcc, cucc, cbn")
    parser.add_argument("--accounts", type=int, default=1, metavar="N", help="that send, in turns (1)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's config (config/demo.toml)")
    parser.add_argument("--gateway-cores", default="", metavar="N,N", help="keep the gateway on these cores")
    parser.add_argument("--settle-seconds", type=float, default=60.0, metavar="N", help="until all are final (60)")
    parser.add_argument("--require", default="", metavar="LIST", help=f"such as accept_p99<50ms: {', '.join(FIGURES)}")
    parser.add_argument("--report", type=Path, metavar="DIRECTORY", help="where the report goes (var/load/TIME)")


def settings_of(options: argparse.Namespace) -> HttpSettings:
    """Return the settings that the arguments make. Raises CannotRun with the one that is wrong."""
    for name, value, most in (
        ("batch", options.batch, MOST_IN_A_REQUEST),
        ("accounts", options.accounts, MOST_ACCOUNTS),
    ):
        if not 1 <= value <= most:
            raise CannotRun(f"--{name} {value}: must be 1 to {most}")
    if not 0 <= options.settle_seconds <= 86_400:
        raise CannotRun(f"--settle-seconds {options.settle_seconds:g}: must be 0 to 86400")
    shape = parse_shape(options.plan, seconds=options.seconds)
    if shape.arrivals > MOST_MESSAGES:
        raise CannotRun(f"--plan {shape.text}: makes {shape.arrivals:,.0f} messages: must be at most {MOST_MESSAGES:,}")
    if options.url:
        check_target(options.url, allowed=options.allow, numbers=options.numbers)
        if not options.key:
            raise CannotRun("--url: needs the --key of an account there")
    if options.simulator:
        check_host(options.simulator)
    return HttpSettings(
        shape=shape,
        batch=options.batch,
        seed=options.seed,
        mix=parse_weights(options.mix, [kind.name.lower() for kind in Kind], option="--mix"),
        networks=parse_weights(options.networks, list(SHARES), option="--networks"),
        accounts=len(options.key) or options.accounts,
        numbers=options.numbers,
        url=options.url,
        keys=options.key,
        allowed=options.allow,
        simulator=options.simulator,
        config=options.config or shipped("demo.toml"),
        gateway_cores=_cores(options.gateway_cores),
        settle_seconds=options.settle_seconds,
        requirements=parse_requirements(options.require, FIGURES),
        report=options.report or Path("var/load") / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        command=_command(sys.argv[1:]),
    )


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
    """Return the command line, without keys."""
    hidden = [
        "(hidden)"
        if before == "--key"
        else argument.partition("=")[0] + "=(hidden)"
        if argument.startswith("--key=")
        else argument
        for before, argument in zip(["", *arguments], arguments, strict=False)
    ]
    return shlex.join(["python", "-m", "loadtest", *hidden])
