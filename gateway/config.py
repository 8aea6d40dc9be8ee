"""The configuration: TOML into the parts' own typed settings, checked whole before anything starts.

Nothing is corrected in silence: a wrong setting, an unknown one, a missing one stops the start with its place, its
value and the rule. Secrets may be written as "env:NAME" or "file:PATH", and are never shown. Relative paths start at
the working directory.
"""

import hashlib
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from gateway.account import Account, Scope
from gateway.config_errors import ConfigError, from_validation_error
from gateway.delivery.settings import (
    CarrierSettings,
    CategorySettings,
    DeliverySettings,
    Name,
    OnDoubt,
    default_categories,
)
from gateway.http.settings import HttpSettings
from gateway.logs import LogSettings
from gateway.message import Category
from gateway.numbers import Network, NumberPlan, NumberPlanError
from gateway.policy.signature import signature_fault
from gateway.refs import ClientRefSettings
from gateway.routing.router import Route
from gateway.store.settings import StoreSettings

_SECRETS: Final = ("key", "password")
_KEY_BYTES: Final = 8  # shorter ones can be guessed


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tells this gateway from others."""

    number: Annotated[int, msgspec.Meta(ge=0, le=1023)] = 0  # part of every message id


class NumberSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose numbers are whose."""

    plan: str = ""  # a CSV file; empty: the one that comes with the gateway


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer, with its key or the key's SHA-256 in hexadecimal."""

    name: Name
    key: str = ""
    key_sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""
    scopes: tuple[Scope, ...] = (Scope.SEND, Scope.READ)
    signatures: tuple[str, ...] | None = None
    allow_high: bool = False
    senders: tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}$")], ...] | None = None

    @property
    def account(self) -> Account:
        return Account(
            name=self.name,
            scopes=frozenset(self.scopes),
            signatures=self.signatures,
            allow_high=self.allow_high,
            senders=self.senders,
        )

    @property
    def key_hash(self) -> bytes:
        """The SHA-256 of the key. 32 octets."""
        return bytes.fromhex(self.key_sha256) if self.key_sha256 else hashlib.sha256(self.key.encode()).digest()


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages that fit all the conditions go by these carriers. An empty condition fits everything."""

    carriers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    categories: tuple[Category, ...] = ()
    accounts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    prefixes: tuple[Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{0,14}$")], ...] = ()
    signatures: tuple[str, ...] = ()

    @property
    def route(self) -> Route:
        return Route(
            carriers=self.carriers,
            categories=frozenset(self.categories),
            accounts=frozenset(self.accounts),
            networks=frozenset(self.networks),
            prefixes=self.prefixes,
            signatures=frozenset(self.signatures),
        )


class CategoryChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file may say of a category; what it leaves out stays as the profile has it."""

    on_doubt: OnDoubt | None = None
    valid_for_seconds: Annotated[int, msgspec.Meta(ge=1, le=172_800)] | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration file."""

    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings(path="var/gateway")
    delivery: DeliverySettings = DeliverySettings()
    client_refs: ClientRefSettings = ClientRefSettings()
    log: LogSettings = LogSettings()
    node: NodeSettings = NodeSettings()
    numbers: NumberSettings = NumberSettings()
    category: dict[Category, CategoryChanges] = {}
    account: tuple[AccountSettings, ...] = ()
    carrier: tuple[CarrierSettings, ...] = ()
    route: tuple[RouteSettings, ...] = ()

    @property
    def categories(self) -> dict[Category, CategorySettings]:
        """The profile's categories, changed as the file says."""
        categories = default_categories()
        for name, changes in self.category.items():
            said = {key: value for key, value in msgspec.structs.asdict(changes).items() if value is not None}
            categories[name] = msgspec.structs.replace(categories[name], **said)
        return categories


def load(path: Path) -> Config:
    """Read and check a file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    _resolve_secrets(document)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise from_validation_error(error, document, Config) from None
    _check(config)
    return config


def load_plan(config: Config) -> NumberPlan:
    """The number plan that the config names. Raises ConfigError."""
    named = config.numbers.plan
    path = Path(named) if named else shipped("number_plan.csv")
    try:
        return NumberPlan.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NumberPlanError) as error:
        raise ConfigError(f'numbers.plan = "{path}": {error}') from None


def shipped(name: str) -> Path:
    """A file of the config folder that comes with the gateway: beside the sources, or where the wheel put it."""
    beside = Path(__file__).parent.parent / "config" / name
    return beside if beside.exists() else Path(sys.prefix) / "share" / "yizhan" / "config" / name


def _resolve_secrets(document: dict[str, Any]) -> None:
    """Replace "env:NAME" and "file:PATH" in place. Raises ConfigError."""
    accounts = [(f"account[{_name(account)}]", account) for account in _tables(document, "account")]
    binds = [
        (f"carrier[{_name(carrier)}].bind[{_name(bind)}]", bind)
        for carrier in _tables(document, "carrier")
        for bind in _tables(carrier, "bind")
    ]
    for place, table in (*accounts, *binds):
        for field in _SECRETS:
            if isinstance(table.get(field), str):
                table[field] = _secret(table[field], f"{place}.{field}")


def _secret(written: str, place: str) -> str:
    kind, colon, argument = written.partition(":")
    if not colon or kind not in {"env", "file"}:
        return written
    if kind == "env":
        value = os.environ.get(argument)
        if value is None:
            raise ConfigError(f'{place} = "{written}": the environment has no such variable')
        return value
    try:
        return Path(argument).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'{place} = "{written}": cannot be read: {error}') from None


def _tables(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = parent.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _name(table: dict[str, Any]) -> str:
    return str(table.get("name", "?"))


def _check(config: Config) -> None:
    """What no single setting shows: names that repeat or lead nowhere, and keys."""
    _unique("account", "name", [account.name for account in config.account])
    _unique("carrier", "name", [carrier.name for carrier in config.carrier])
    _unique("carrier.bind", "name", [bind.name for carrier in config.carrier for bind in carrier.bind])
    if not config.carrier:
        raise ConfigError("carrier: must have at least one [[carrier]]")
    for account in config.account:
        _check_account(account)
    for carrier in config.carrier:
        if not any(bind.mode != "receiver" for bind in carrier.bind):
            raise ConfigError(f"carrier[{carrier.name}].bind: must have one that can send")
    _check_routes(config)


def _check_account(account: AccountSettings) -> None:
    place = f"account[{account.name}]"
    if bool(account.key) == bool(account.key_sha256):
        raise ConfigError(f"{place}.key: must be set, or key_sha256, and not both")
    if account.key and len(account.key.encode()) < _KEY_BYTES:
        raise ConfigError(f"{place}.key = (hidden): must have at least {_KEY_BYTES} octets")
    for signature in account.signatures or ():
        fault = signature_fault(signature)
        if fault is not None:
            raise ConfigError(f'{place}.signatures = "{signature}": {fault}')


def _check_routes(config: Config) -> None:
    carriers = {carrier.name for carrier in config.carrier}
    accounts = {account.name for account in config.account}
    for number, route in enumerate(config.route, 1):
        _known(f"route[{number}].carriers", route.carriers, carriers, "a [[carrier]]")
        _known(f"route[{number}].accounts", route.accounts, accounts, "an [[account]]")


def _unique(table: str, field: str, values: Iterable[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ConfigError(f'{table}.{field} = "{value}": must be used once, is used {count} times')


def _known(place: str, names: Sequence[str], known: set[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f'{place} = "{name}": must be the name of {what}')
