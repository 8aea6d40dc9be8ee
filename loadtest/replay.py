"""What a file of arrivals tells, sent again over HTTP: the same times and kinds, to made-up numbers.

The file has a JSON line a message, {"at": 12.5, "kind": "code"}: seconds, and optionally what it was: code, notice,
long, invitation. Everything else is as with http.
"""

import argparse
from pathlib import Path

import msgspec

from loadtest.arrivals import Shape, Stretch
from loadtest.course import finish
from loadtest.httpload import measure
from loadtest.options import add_http_arguments, add_load_arguments, settings_of
from loadtest.screen import make_console
from loadtest.trace import Trace, read_trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines, a message each")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="so many times as fast (1)")
    parser.set_defaults(plan="constant:1", seconds=1.0)  # which the file replaces
    add_load_arguments(parser)
    add_http_arguments(parser)


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    trace = read_trace(options.file, speed=options.speed)
    shape = shape_of(trace, f"replay:{options.file.name} at speed {options.speed:g}")
    settings = msgspec.structs.replace(settings_of(options), shape=shape)
    console = make_console()
    return finish(await measure(settings, console, trace), settings, console)


def shape_of(trace: Trace, text: str) -> Shape:
    """Return how long a trace is and what it makes on average; its own moments are what is sent."""
    seconds = max(1.0, trace.moments[-1])
    rate = len(trace.moments) / seconds
    return Shape(text=text, stretches=[Stretch(seconds, rate, rate)])
