"""`python -m gateway --config FILE`: run the gateway; `--check`: only say whether the file is good."""

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from gateway import app, logs
from gateway.config import Config, load
from gateway.config_errors import ConfigError, wrong
from gateway.log_values import one_line
from gateway.store.api import StoreError
from gateway.version import VERSION

OK: Final = 0
CANNOT_START: Final = 2  # and 1, Python's own, for what only a bug can do


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status: 0 after a drain, 2 when it could not start."""
    options = _parse(arguments)
    path: Path = options.config
    try:
        config = load(path)
        app.check(config)
        if options.check:
            print(f"{path}: good")  # noqa: T201
            return OK
        _run(config)
    except (ConfigError, StoreError) as error:
        print(f"gateway: {one_line(str(error))}", file=sys.stderr)  # noqa: T201
        return CANNOT_START
    return OK


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway", description="Yizhan 驿站, an SMS gateway: HTTP in, SMPP out.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration, a TOML file")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--version", action="version", version=f"yizhan {VERSION}")
    return parser.parse_args(arguments)


def _run(config: Config) -> None:
    """Run until told to stop. Raises ConfigError, also for an address that cannot be had, and StoreError."""
    logs.set_up(config.log)
    try:
        uvloop.run(app.run(config, _say_ready))
    except OSError as error:
        if error.filename is not None:  # no trouble with an address: those name no file
            raise
        reason = "no such host" if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise wrong("http.listen", config.http.listen, f"must be an address that is free here ({reason})") from error


def _say_ready(listen: str) -> None:
    """One line for whoever started us and waits."""
    print(f"gateway ready http={listen}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
