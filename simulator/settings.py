"""Every setting of the simulator: its type, its default and its rule. config/simulator.toml has the reasons."""

import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from simulator.checking import BrokenRule, SettingError, settings_from
from simulator.distributions import Seconds
from simulator.scenario import Overlay, Scenario, Timeline, check_phases, overlaid, read_scenario
from simulator.tables import Count, Interval, Positive, Table

MAIN: Final = "main"  # the SMSC that `[smpp]` is about


class Mode(Enum):
    """What a bind may do."""

    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"
    TRANSCEIVER = "transceiver"


class Overload(Enum):
    """What happens to a submit_sm for which there is no room."""

    REFUSE = "refuse"
    READ_SLOWER = "read-slower"


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


class OtherSmsc(Overlay, frozen=True, kw_only=True):
    """`[[smsc]]`: one more SMSC in the same process, with a port, accounts and a scenario of its own.

    Without accounts it has those of the config; what its scenario leaves out is as in the config.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,30}$")]
    listen: str
    account: tuple[Account, ...] = ()

    def __post_init__(self) -> None:
        _check_address("listen", self.listen)
        _check_accounts(self.account)


class Settings(Scenario, frozen=True):
    """A whole config."""

    seed: Count = 1
    smpp: Smpp = Smpp()
    control: Control = Control()
    account: tuple[Account, ...] = (Account(),)
    memory: Memory = Memory()
    smsc: Annotated[tuple[OtherSmsc, ...], msgspec.Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        if not self.account:
            raise BrokenRule("account", "must have at least one entry")
        _check_accounts(self.account)
        names = [MAIN, *(smsc.name for smsc in self.smsc)]
        if len(set(names)) < len(names):
            raise BrokenRule("smsc", f"must have a name of its own in each entry, and {MAIN!r} is taken")

    @property
    def scenario(self) -> Scenario:
        """The scenario that the config begins with."""
        return Scenario(**{name: getattr(self, name) for name in Scenario.__struct_fields__})

    def of_each(self) -> dict[str, "Settings"]:
        """Return the settings of each SMSC by name, the main one first. Raises SettingError."""
        alone = msgspec.structs.replace(self, smsc=())
        every = {MAIN: alone}
        for smsc in self.smsc:
            scenario = overlaid(msgspec.structs.replace(self.scenario, timeline=Timeline()), smsc, f"smsc[{smsc.name}]")
            every[smsc.name] = msgspec.structs.replace(
                with_behaviour(alone, scenario),
                smpp=msgspec.structs.replace(self.smpp, listen=smsc.listen),
                account=smsc.account or self.account,
            )
        return every


def _check_accounts(accounts: tuple[Account, ...]) -> None:
    names = [account.system_id for account in accounts]
    if len(set(names)) < len(names):
        raise BrokenRule("account", "must have a system_id of its own in each entry")


def with_behaviour(settings: Settings, scenario: Scenario) -> Settings:
    """Return settings with another scenario."""
    return msgspec.structs.replace(settings, **{name: getattr(scenario, name) for name in Scenario.__struct_fields__})


def read_settings(path: Path) -> Settings:
    """Return the settings in the TOML file at `path`. Raises SettingError, and OSError where it cannot be read."""
    settings = settings_from(parse_toml(path.read_bytes(), name=str(path)), Settings)
    check_phases(settings)
    settings.of_each()
    return settings


def parse_toml(data: bytes, *, name: str) -> dict[str, Any]:
    """Return the tables of `data`. Raises SettingError with `name` for what is not TOML."""
    try:
        return tomllib.loads(data.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise SettingError(name, f"is not TOML: {error}") from error


def with_scenario(settings: Settings, path: Path) -> Settings:
    """Return `settings` with the scenario in the TOML file at `path`. Raises SettingError and OSError."""
    return with_behaviour(settings, read_scenario(parse_toml(path.read_bytes(), name=str(path)), settings))
