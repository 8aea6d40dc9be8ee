"""The shape of a configuration file: its tables, what each setting may be, and its default.

The parts declare their own settings; here is what belongs to no part, and the file as a whole. `config/gateway.toml`
gives every setting its reason.
"""

import hashlib
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Annotated

import msgspec

from gateway.account import Account, Quota, Scope
from gateway.audit import AuditSettings
from gateway.callbacks.settings import CallbackSettings
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
from gateway.numbers import Kind, Network
from gateway.policy.cap_settings import Cap, CapsSettings
from gateway.policy.settings import Answer, ConsentSettings, ContentSettings, HoursSettings
from gateway.policy.windows import Windows
from gateway.refs import ClientRefSettings
from gateway.refusals import RefusalSettings
from gateway.routing.routes import Route
from gateway.routing.strategies import Strategy
from gateway.store.settings import StoreSettings
from gateway.usage import UsageSettings
from gateway.words.settings import WordSettings

Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z", description="a SHA-256 in 64 lower-case hexadecimal digits")
]
Sender = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}\Z", description="1 to 20 digits")]
Prefix = Annotated[
    str,
    msgspec.Meta(pattern=r"^\+[1-9][0-9]{0,14}\Z", description="the beginning of a number in E.164, such as +86138"),
]


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tells this gateway from others."""

    number: Annotated[int, msgspec.Meta(ge=0, le=1023)] = 0  # part of every message id


class NumberSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose numbers are whose."""

    plan: str = ""  # a CSV file; empty: the one that comes with the gateway
    refuse_kinds: tuple[Kind, ...] = (Kind.IOT, Kind.SATELLITE)
    ported: str = ""  # a CSV file of ported numbers; empty: none
    ported_key: Annotated[str, msgspec.Meta(min_length=1)] | None = None  # of the keyed hashes in it
    learned_ports: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 200_000
    learned_port_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 120


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer, with its key or the key's SHA-256 in hexadecimal."""

    name: Name
    key: str = ""
    key_sha256: Sha256 = ""
    scopes: tuple[Scope, ...] = (Scope.SEND, Scope.READ)
    signatures: tuple[str, ...] | None = None
    allow_high: bool = False
    senders: tuple[Sender, ...] | None = None
    categories: Annotated[tuple[Category, ...], msgspec.Meta(min_length=1)] | None = None
    submit_rate: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    quota: Quota | None = None
    max_open_messages: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 2_000_000
    callback: CallbackSettings | None = None
    review: tuple[Category, ...] = ()
    opt_out_words: tuple[str, ...] | None = None
    opt_out_answer: Answer = ""
    opt_in_answer: Answer = ""
    word_exemptions: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()
    addresses: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = ()

    @property
    def account(self) -> Account:
        return Account(
            name=self.name,
            scopes=frozenset(self.scopes),
            signatures=self.signatures,
            max_open_messages=self.max_open_messages,
            allow_high=self.allow_high,
            senders=self.senders,
            word_exemptions=frozenset(self.word_exemptions),
            categories=None if self.categories is None else frozenset(self.categories),
            submit_rate=self.submit_rate,
            quota=self.quota,
            review=frozenset(self.review),
            addresses=tuple(ip_network(written) for written in self.addresses),
        )

    @property
    def key_hash(self) -> bytes:
        """The SHA-256 of the key. 32 octets."""
        return bytes.fromhex(self.key_sha256) if self.key_sha256 else hashlib.sha256(self.key.encode()).digest()


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages that fit all the conditions go by these carriers. An empty condition fits everything."""

    carriers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    strategy: Strategy = Strategy.ORDERED
    weights: tuple[Annotated[int, msgspec.Meta(ge=0, le=1_000_000)], ...] = ()
    categories: tuple[Category, ...] = ()
    accounts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    signatures: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    next_when_refused: bool = False

    def route(self, windows: Callable[[Sequence[str]], Windows]) -> Route:
        """As routing wants it. `windows`: makes them of what is written."""
        return Route(
            carriers=self.carriers,
            strategy=self.strategy,
            weights=self.weights,
            categories=frozenset(self.categories),
            accounts=frozenset(self.accounts),
            networks=frozenset(self.networks),
            prefixes=self.prefixes,
            signatures=frozenset(self.signatures),
            hours=windows(self.hours) if self.hours else None,
            next_when_refused=self.next_when_refused,
        )


class CategoryChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file may say of a category; what it leaves out stays as the profile has it."""

    on_doubt: OnDoubt | None = None
    valid_for_seconds: Annotated[int, msgspec.Meta(ge=1, le=172_800)] | None = None
    hours: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)] | None = None
    retry_undelivered: Annotated[int, msgspec.Meta(ge=0, le=10)] | None = None
    resend_overdue: bool | None = None

    def apply_to(self, settings: CategorySettings) -> CategorySettings:
        said = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(settings, **said)


class CategoryTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table for each category. The fields are the names of `Category`."""

    otp: CategoryChanges = CategoryChanges()
    notification: CategoryChanges = CategoryChanges()
    marketing: CategoryChanges = CategoryChanges()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration file."""

    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings()
    delivery: DeliverySettings = DeliverySettings()
    client_refs: ClientRefSettings = ClientRefSettings()
    log: LogSettings = LogSettings()
    node: NodeSettings = NodeSettings()
    numbers: NumberSettings = NumberSettings()
    content: ContentSettings = ContentSettings()
    usage: UsageSettings = UsageSettings()
    caps: CapsSettings = CapsSettings()
    cap: tuple[Cap, ...] = ()
    category: CategoryTables = CategoryTables()
    hours: HoursSettings = HoursSettings()
    consent: ConsentSettings = ConsentSettings()
    audit: AuditSettings = AuditSettings()
    refusals: RefusalSettings = RefusalSettings()
    words: Annotated[tuple[WordSettings, ...], msgspec.Meta(max_length=100)] = (WordSettings(),)
    account: tuple[AccountSettings, ...] = ()
    carrier: tuple[CarrierSettings, ...] = ()
    route: tuple[RouteSettings, ...] = ()

    @property
    def categories(self) -> dict[Category, CategorySettings]:
        """The profile's categories, changed as the file says."""
        return {
            name: getattr(self.category, name).apply_to(settings) for name, settings in default_categories().items()
        }
