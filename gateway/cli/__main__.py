"""`yizhan COMMAND`, or `python -m gateway.cli COMMAND`: operate a running gateway.

The key comes from the environment alone: arguments can be read by everybody on the machine.
"""

import argparse
import json
import os
import sys
from typing import Final

from gateway.cli import commands
from gateway.cli.client import DEFAULT_URL, Client, Refused, Unreachable, Unusable
from gateway.cli.tables import harmless

GOOD: Final = 0
NOT_GOOD: Final = 1  # the gateway refused it, is not ready, found nothing, or did not take a file in
WRONG_USE: Final = 2  # and argparse's own
UNREACHABLE: Final = 3

_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_TIMEOUT_SECONDS: Final = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    url = os.environ.get("YIZHAN_URL") or DEFAULT_URL
    try:
        client = Client(url, os.environ.get("YIZHAN_KEY", ""), timeout_seconds=options.timeout, language=_language())
        outcome = options.command(client, vars(options))
    except UnicodeError:
        return _fail("what is asked for must be text in the encoding of the terminal", WRONG_USE)
    except Unusable as error:
        return _fail(f"YIZHAN_URL, YIZHAN_KEY: {error}", WRONG_USE)
    except Unreachable as error:
        return _fail(f"the gateway cannot be reached: {error}", UNREACHABLE)
    except Refused as error:
        return _fail(str(error), NOT_GOOD)
    except (KeyError, TypeError):
        # Another version's page, or somebody else's.
        return _fail("the gateway cannot be reached: what answers there is no gateway of this version", UNREACHABLE)
    if options.json:
        print(json.dumps(outcome.page, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        print("\n".join(outcome.lines))  # noqa: T201
    return GOOD if outcome.good else NOT_GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yizhan",
        description="Operate a running gateway, over its HTTP API.",
        epilog=f"The environment: YIZHAN_URL, where it is (default {DEFAULT_URL}); YIZHAN_KEY, the key of an account. "
        "Exit status: 0 done; 1 refused, not ready, not found; 2 wrong use; 3 the gateway cannot be reached.",
    )
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--json", action="store_true", help="the gateway's answer as JSON, not as a table")
    every.add_argument("--timeout", type=_seconds, default=_TIMEOUT_SECONDS, metavar="SECONDS", help="default: 10")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: commands.Command, says: str) -> argparse.ArgumentParser:
        each = subparsers.add_parser(name, help=says, description=says, parents=[every])
        each.set_defaults(command=command)
        return each

    add("status", commands.status, "whether messages can be taken and carriers reached; exit status 1 if not ready")
    add("carriers", commands.carriers, "every carrier with its binds")
    _describe_find(add("find", commands.find, "a message by id, or messages and refusals of a number or batch"))
    _describe_explain(add("explain", commands.explain, "what would become of a message, and why; nothing is sent"))
    paused = add("pause", commands.pause, "begin no more messages by a carrier")
    paused.add_argument("carrier")
    paused.add_argument("--queue", choices=["keep", "move"], help="what becomes of messages that wait for it")
    add("resume", commands.resume, "go on with a carrier").add_argument("carrier")
    add("rebind", commands.rebind, "unbind, and bind again").add_argument("bind")
    add("reload", commands.reload, "take number plan, ported numbers, holidays and words as the files are now")
    return parser


def _describe_find(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", help="the id of a message, or a number in any spelling")
    parser.add_argument("--batch")
    parser.add_argument("--client-ref")
    parser.add_argument("--status")
    parser.add_argument("--since", metavar="TIME", help="RFC 3339, with offset; default: 24 hours ago")
    parser.add_argument("--limit", type=int, default=20, help="1 to 1000; default: 20")


def _describe_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("to", help="the number")
    parser.add_argument("text")
    parser.add_argument("--category", help="otp, notification or marketing")
    parser.add_argument("--signature")
    parser.add_argument("--sender")


def _seconds(written: str) -> float:
    """A timeout. Raises ArgumentTypeError."""
    try:
        seconds = float(written)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise argparse.ArgumentTypeError(f"must be seconds, above 0 and up to {_LONGEST_TIMEOUT_SECONDS:g}")
    return seconds


def _language() -> str:
    """Refusals are told in the language of the terminal, where the gateway speaks it."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh-CN" if locale.startswith("zh") else ""


def _fail(says: str, status: int) -> int:
    lines = [harmless(line) for line in says.split("\n")]
    print("yizhan: " + "\n".join(lines), file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
