"""The configuration: TOML into the parts' own typed settings, checked whole before anything starts.

Nothing is corrected in silence: a wrong setting, an unknown one, a missing one stops the start with its place, its
value and the rule. Secrets may be written as "env:NAME" or "file:PATH", and are never shown. Relative paths start at
the working directory.
"""

import os
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from gateway.config_checks import check_config
from gateway.config_errors import SECRETS, ConfigError, entry_place, from_validation_error, wrong
from gateway.config_tables import Config
from gateway.delivery.receipt_codes import ReceiptCodes, ReceiptCodesError
from gateway.numbers import NumberPlan, NumberPlanError
from gateway.policy.windows import Holidays, HolidaysError
from gateway.routing.ported import PortTable, PortTableError

__all__ = ["Config", "load", "load_holidays", "load_plan", "load_ported", "load_receipt_codes", "shipped"]

T = TypeVar("T")

_SECRET_BYTES: Final = 4_096  # what a file with a secret may hold at most
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def load(path: Path) -> Config:
    """Read and check a file. Raises ConfigError."""
    document = _read(path)
    _resolve_secrets(document)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise from_validation_error(error, document, Config) from None
    check_config(config)
    return config


def load_plan(config: Config) -> NumberPlan:
    """The number plan that the config names. Raises ConfigError."""
    return _load_table("numbers.plan", config.numbers.plan, "number_plan.csv", NumberPlan.parse)


def load_holidays(config: Config) -> Holidays:
    """The holidays that the config names. Raises ConfigError."""
    return _load_table("hours.holidays", config.hours.holidays, "holidays.csv", Holidays.parse)


def load_receipt_codes(config: Config) -> dict[str, ReceiptCodes]:
    """The table of receipt codes of each carrier, by its name. Raises ConfigError."""
    return {
        carrier.name: _load_table(
            f"carrier[{carrier.name}].receipt_codes", carrier.receipt_codes, "receipt_codes.csv", ReceiptCodes.parse
        )
        for carrier in config.carrier
    }


def _load_table(setting: str, named: str, ours: str, parse: Callable[[str], T]) -> T:
    """A table from the file that a setting names, or from the one that comes with the gateway. Raises ConfigError."""
    path = Path(named) if named else shipped(ours)
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        rule = f"must name a file that can be read ({error.strerror})"
    except UnicodeDecodeError:
        rule = "must name a file in UTF-8"
    except (NumberPlanError, HolidaysError, ReceiptCodesError) as error:
        rule = str(error)
    except ValueError:  # a NUL in the path
        rule = "must name a file"
    raise wrong(setting, str(path), rule)


def load_ported(config: Config) -> PortTable:
    """The table of ported numbers that the config names; an empty one when it names none. Raises ConfigError.

    A table of millions takes seconds: beside a running gateway, in a thread.
    """
    key = (config.numbers.ported_key or "").encode()
    named = config.numbers.ported
    if not named:
        return PortTable(key)
    try:
        with Path(named).open(encoding="utf-8", newline="") as file:
            return PortTable.parse(file, key)
    except OSError as error:
        rule = f"must name a file that can be read ({error.strerror})"
    except UnicodeDecodeError:
        rule = "must name a file in UTF-8"
    except PortTableError as error:
        rule = str(error)
    except ValueError:  # a NUL in the path
        rule = "must name a file"
    raise wrong("numbers.ported", named, rule)


def shipped(name: str) -> Path:
    """A file of the config folder that comes with the gateway: beside the sources, or where the wheel put it."""
    beside = Path(__file__).parent.parent / "config" / name
    return beside if beside.exists() else Path(sys.prefix) / "share" / "yizhan" / "config" / name


def _read(path: Path) -> dict[str, Any]:
    """A file as TOML gives it. Raises ConfigError."""
    try:
        octets = path.read_bytes()
        return tomllib.loads(octets.decode("utf-8").replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line}: is not UTF-8; save the file in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None


def _resolve_secrets(document: dict[str, Any]) -> None:
    """Put what "env:NAME" and "file:PATH" name in their place. Raises ConfigError."""
    numbers = document.get("numbers")
    if isinstance(numbers, dict):
        _resolve(numbers, "numbers")
    for account_place, account in _tables(document, "account", "account"):
        _resolve(account, account_place)
        if isinstance(callback := account.get("callback"), dict):
            _resolve(callback, f"{account_place}.callback")
    for carrier_place, carrier in _tables(document, "carrier", "carrier"):
        for bind_place, bind in _tables(carrier, "bind", f"{carrier_place}.bind"):
            _resolve(bind, bind_place)


def _tables(parent: dict[str, Any], name: str, place: str) -> list[tuple[str, dict[str, Any]]]:
    """The tables of one name, each with its place. What is not a table is refused later, when types are checked."""
    found = parent.get(name)
    entries = enumerate(found) if isinstance(found, list) else ()
    return [(entry_place(place, each, index), each) for index, each in entries if isinstance(each, dict)]


def _resolve(table: dict[str, Any], place: str) -> None:
    for field in SECRETS & table.keys():
        if isinstance(table[field], str):
            table[field] = _secret(table[field], f"{place}.{field}")


def _secret(written: str, place: str) -> str:
    """The secret that a setting holds or names. Raises ConfigError."""
    kind, colon, named = written.partition(":")
    if not colon or kind not in {"env", "file"}:
        return written
    if kind == "env":
        # What could not be a name may be the secret itself, and is not shown.
        shown = f'"{written}"' if _VARIABLE.fullmatch(named) else "(hidden)"
        secret = os.environ.get(named)
        if secret is None:
            raise ConfigError(f"{place} = {shown}: must name a variable of the environment")
    else:
        shown = f'"{written}"'
        secret = _read_secret(Path(named), f"{place} = {shown}")
    if not secret:
        raise ConfigError(f"{place} = {shown}: must name a secret that is not empty")
    return secret


def _read_secret(path: Path, setting: str) -> str:
    """What a file holds, without the end of its line. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            octets = file.read(_SECRET_BYTES + 1)
        secret = octets.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{setting}: must name a file that can be read ({error.strerror})") from None
    except ValueError:  # not UTF-8, or a NUL in the path
        raise ConfigError(f"{setting}: must name a file of text") from None
    if len(octets) > _SECRET_BYTES:
        raise ConfigError(f"{setting}: must name a file of at most {_SECRET_BYTES} octets")
    return secret
