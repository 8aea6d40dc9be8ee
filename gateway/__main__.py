"""`python -m gateway --config FILE`: run the gateway; `--check`: only say whether the file is good."""

import argparse
import errno
import sys
from pathlib import Path
from typing import Final

import uvloop

from gateway import app, logs
from gateway.config import load
from gateway.config_errors import ConfigError
from gateway.store.api import StoreError

OK: Final = 0
FAILED: Final = 1
CANNOT_START: Final = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status: 0 after a drain, 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="gateway", description="Yizhan 驿站, an SMS gateway: HTTP in, SMPP out.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration, a TOML file")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    options = parser.parse_args(arguments)
    path: Path = options.config
    try:
        config = load(path)
        app.check(config)
        if options.check:
            print(f"{path}: good")  # noqa: T201
            return OK
        logs.set_up(config.log)
        uvloop.run(app.run(config, _say_ready))
    except (ConfigError, StoreError) as error:
        return _fail(str(error))
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
            raise
        return _fail(f'http.listen = "{config.http.listen}": {error.strerror}')
    return OK


def _say_ready(listen: str) -> None:
    """One line for whoever started us and waits."""
    print(f"gateway ready http={listen}", flush=True)  # noqa: T201


def _fail(text: str) -> int:
    print(f"gateway: {text}", file=sys.stderr)  # noqa: T201
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
