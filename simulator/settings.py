"""Every setting of the simulator: its type, its default and its rule. config/simulator.toml has the reasons."""

import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gateway.smpp import CommandStatus
from simulator.checking import BrokenRule, SettingError, settings_from
from simulator.distributions import Delay, Seconds, Uniform
from simulator.outcomes import Chances

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Interval = Annotated[float, msgspec.Meta(ge=0.001, le=864_000)]


class Mode(Enum):
    """What a bind may do."""

    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"
    TRANSCEIVER = "transceiver"


class Overload(Enum):
    """What happens to a submit_sm for which there is no room."""

    REFUSE = "refuse"
    READ_SLOWER = "read-slower"


class ReceiptForm(Enum):
    """Where a receipt says what it says."""

    TEXT = "text"
    TLV = "tlv"
    BOTH = "both"


class IdForm(Enum):
    """How a message id is written."""

    DECIMAL = "decimal"
    HEX = "hex"


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the config."""


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`; an IPv6 host stands in brackets. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(address)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check_address(field: str, address: str) -> None:
    try:
        split_address(address)
    except ValueError:
        raise BrokenRule(field, "must be host:port, with a port of 0 to 65535") from None


class Smpp(Table, frozen=True):
    """`[smpp]`: the listener, and what every session keeps to."""

    listen: str = "127.0.0.1:2775"
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    overload: Overload = Overload.REFUSE
    response_timeout_seconds: Interval = 10.0
    enquire_link_seconds: Seconds = 30.0
    bind_timeout_seconds: Interval = 10.0

    def __post_init__(self) -> None:
        _check_address("listen", self.listen)


class Control(Table, frozen=True):
    """`[control]`: the HTTP side."""

    listen: str = "127.0.0.1:8775"

    def __post_init__(self) -> None:
        _check_address("listen", self.listen)


class Account(Table, frozen=True):
    """`[[account]]`: who may bind."""

    system_id: Annotated[str, msgspec.Meta(min_length=1, max_length=15)] = "gateway"
    password: Annotated[str, msgspec.Meta(max_length=8)] = "secret"  # noqa: S105 - it keeps nobody out of a simulator
    max_binds: Positive = 100
    modes: tuple[Mode, ...] = tuple(Mode)


class Memory(Table, frozen=True):
    """`[memory]`: how much is kept, and no more."""

    journal_entries: Count = 200_000
    messages: Positive = 100_000
    open_messages: Positive = 1_000_000
    destinations: Positive = 200_000


class Receipts(Table, frozen=True):
    """`[receipts]`: when they come, what they look like, and how often they come again."""

    delay_seconds: Delay = Uniform(0.05, 0.8)
    form: ReceiptForm = ReceiptForm.BOTH
    id_in_response: IdForm = IdForm.DECIMAL
    id_in_receipt: IdForm = IdForm.DECIMAL
    echo_reference: bool = True
    retry_seconds: Interval = 5.0
    retries: Count = 1000


class Response(Table, frozen=True):
    """`[response]`: how long a submit_sm waits for its answer."""

    latency_seconds: Delay = 0.0


class Rate(Table, frozen=True):
    """`[rate]`: how much an account may send; 0 is no limit."""

    segments_per_second: Annotated[float, msgspec.Meta(ge=0, le=10_000_000)] = 0.0
    burst_seconds: Interval = 1.0


class Binds(Table, frozen=True):
    """`[binds]`: what a bind meets."""

    refuse_with: str = ""

    def __post_init__(self) -> None:
        if self.refuse_with and self.refuse_with not in CommandStatus.__members__:
            raise BrokenRule("refuse_with", "must be the name of a command_status, or nothing")


class Scenario(Table, frozen=True):
    """How the simulator behaves: what can be changed while it runs."""

    receipts: Receipts = Receipts()
    response: Response = Response()
    rate: Rate = Rate()
    binds: Binds = Binds()
    outcomes: Chances = Chances()


class Settings(Scenario, frozen=True):
    """A whole config."""

    seed: Count = 1
    smpp: Smpp = Smpp()
    control: Control = Control()
    account: tuple[Account, ...] = (Account(),)
    memory: Memory = Memory()

    def __post_init__(self) -> None:
        if not self.account:
            raise BrokenRule("account", "must have at least one entry")
        names = [account.system_id for account in self.account]
        if len(set(names)) < len(names):
            raise BrokenRule("account", "must have a system_id of its own in each entry")


def read_settings(path: Path) -> Settings:
    """Return the settings in the TOML file at `path`. Raises SettingError, and OSError where it cannot be read."""
    return settings_from(parse_toml(path.read_bytes(), name=str(path)), Settings)


def parse_toml(data: bytes, *, name: str) -> dict[str, Any]:
    """Return the tables of `data`. Raises SettingError with `name` for what is not TOML."""
    try:
        return tomllib.loads(data.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise SettingError(name, f"is not TOML: {error}") from error


def read_scenario(document: object, start: Scenario) -> Scenario:
    """Return `start` with what `document` sets in place of it. Raises SettingError.

    What the document leaves out is as `start` has it, so the same document always gives the same scenario.
    """
    if not isinstance(document, dict):
        raise SettingError("the document", "must be a table")
    tables = {name: msgspec.to_builtins(getattr(start, name)) for name in Scenario.__struct_fields__}
    for name, table in document.items():
        known = tables.get(name)
        tables[name] = known | table if isinstance(known, dict) and isinstance(table, dict) else table
    return settings_from(tables, Scenario)


def with_scenario(settings: Settings, path: Path) -> Settings:
    """Return `settings` with the scenario in the TOML file at `path`. Raises SettingError and OSError."""
    scenario = read_scenario(parse_toml(path.read_bytes(), name=str(path)), settings)
    return msgspec.structs.replace(settings, **{name: getattr(scenario, name) for name in Scenario.__struct_fields__})
