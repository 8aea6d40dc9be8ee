"""`python -m loadtest demo|burst|http|smpp|search|compare|replay`: exit 0 kept, 1 not kept, 2 it could not run."""

import argparse
import asyncio
import sys
from typing import Final

import uvloop

from loadtest import backlog, burst, compare, demo, httpload, replay, search, smppload
from loadtest.errors import CannotRun

CANNOT_RUN: Final = 2
INTERRUPTED: Final = 130  # what a shell makes of Ctrl-C

COMMANDS: Final = {
    "demo": demo,
    "burst": burst,
    "compare": compare,
    "backlog": backlog,
    "http": httpload,
    "smpp": smppload,
    "search": search,
    "replay": replay,
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    options = _parse(arguments)
    try:
        return uvloop.run(_interruptible(options))
    except CannotRun as error:
        print(f"loadtest: {error}", file=sys.stderr)
        return CANNOT_RUN


async def _interruptible(options: argparse.Namespace) -> int:
    """Run the command as a task that signals cancel, so that it ends its children in order."""
    work: asyncio.Future[int] = asyncio.ensure_future(COMMANDS[options.command].run(options))
    loop = asyncio.get_running_loop()
    for number in demo.STOP_SIGNALS:
        loop.add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        return INTERRUPTED


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtest", description="The demo, and load with proof, on this machine only."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        module.add_arguments(commands.add_parser(name, help=summary, description=summary))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
