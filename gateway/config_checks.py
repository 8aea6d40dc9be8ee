"""What no single setting shows: names that repeat or lead nowhere, keys, settings that contradict each other."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final
from zoneinfo import ZoneInfo

from gateway.config_errors import ConfigError, wrong
from gateway.config_tables import AccountSettings, Config, RouteSettings
from gateway.delivery.settings import BindMode, BindSettings, CarrierSettings, TlsVersion
from gateway.delivery.tls import TlsFault, client_context
from gateway.message import Category
from gateway.numbers import InvalidNumber, mask, normalise
from gateway.policy.cap_settings import Cap, CapsSettings
from gateway.policy.opt_out_text import has_opt_out_text
from gateway.policy.replies import OPT_OUT_WORDS
from gateway.policy.signature import signature_fault
from gateway.policy.windows import parse_window
from gateway.routing.strategies import Strategy

_KEY_BYTES: Final = 8  # shorter ones can be guessed
_TLS_FIELDS: Final = (
    "tls_ca_file",
    "tls_server_name",
    "tls_minimum_version",
    "tls_certificate_file",
    "tls_key_file",
    "tls_key_password",
)


def check_config(config: Config) -> None:
    """Raises ConfigError for the first fault."""
    _check_host("http.listen", config.http.listen, config.http.host)
    _check_accounts(config.account)
    _check_carriers(config.carrier)
    carriers = {carrier.name: carrier for carrier in config.carrier}
    accounts = {account.name for account in config.account}
    for number, route in enumerate(config.route, 1):
        _check_route(f"route[{number}]", route, carriers, accounts)
    _check_hours(config)
    _check_caps(config.cap, config.caps)
    if "\0" in config.store.path:
        raise wrong("store.path", config.store.path, "must name a directory")
    delivery = config.delivery
    _check_order(
        "delivery.retry_longest_seconds",
        delivery.retry_longest_seconds,
        "retry_first_seconds",
        delivery.retry_first_seconds,
    )


def _check_hours(config: Config) -> None:
    for category, settings in config.categories.items():
        place = f"category.{category}.hours"
        if settings.hours and category is Category.OTP:
            raise wrong(place, settings.hours[0], "must be [] or left out: a code that comes in the morning is no use")
        _check_windows(place, settings.hours)
    _check_zone("hours.time_zone", config.hours.time_zone)
    _check_zone("usage.time_zone", config.usage.time_zone)


def _check_zone(place: str, name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # as the name is none, is a path, or is that of a directory
        raise wrong(place, name, "must name a time zone such as Asia/Shanghai") from None


def _check_windows(place: str, texts: Sequence[str]) -> None:
    for text in texts:
        try:
            parse_window(text)
        except ValueError as error:
            raise wrong(place, text, str(error)) from None


def _check_accounts(accounts: Sequence[AccountSettings]) -> None:
    _check_unique("account.name", [account.name for account in accounts])
    owners: dict[bytes, str] = {}
    for account in accounts:
        place = f"account[{account.name}]"
        _check_key(account, place)
        owner = owners.setdefault(account.key_hash, account.name)
        if owner != account.name:
            raise wrong(f"{place}.key", account.key, f"must not be the key of account[{owner}]")
        _check_signatures(f"{place}.signatures", account.signatures or ())
        _check_replies(place, account)
        _check_addresses(f"{place}.addresses", account.addresses)


def _check_addresses(place: str, addresses: Sequence[str]) -> None:
    for written in addresses:
        try:
            ip_network(written)
        except ValueError as error:
            rule = "must be an address, or a network such as 10.0.0.0/8 without bits behind its prefix"
            raise wrong(place, written, rule) from error


def _check_replies(place: str, account: AccountSettings) -> None:
    for word in account.opt_out_words or ():
        if word not in OPT_OUT_WORDS:
            raise wrong(f"{place}.opt_out_words", word, f"must be one of {', '.join(OPT_OUT_WORDS)}")
    for name in ("opt_out_answer", "opt_in_answer"):
        answer = getattr(account, name)
        if answer and has_opt_out_text(answer):
            raise wrong(f"{place}.{name}", answer, "must not say how to opt out: it goes as a notification")


def _check_key(account: AccountSettings, place: str) -> None:
    key = account.key
    if not key and not account.key_sha256:
        raise ConfigError(f"{place}.key: must be set, or key_sha256")
    if key and account.key_sha256:
        raise ConfigError(f"{place}.key: must not be set beside key_sha256")
    if key and len(key.encode()) < _KEY_BYTES:
        raise wrong(f"{place}.key", key, f"must have at least {_KEY_BYTES} octets")
    if key != key.strip() or (key and not key.isprintable()):
        raise wrong(f"{place}.key", key, "must fit in a line of HTTP: no spaces around it, no control characters")


def _check_carriers(carriers: Sequence[CarrierSettings]) -> None:
    _check_unique("carrier.name", [carrier.name for carrier in carriers])
    _check_unique("carrier.bind.name", [bind.name for carrier in carriers for bind in carrier.bind])
    if not carriers:
        raise ConfigError("carrier: must have at least one [[carrier]]")
    for carrier in carriers:
        place = f"carrier[{carrier.name}]"
        _check_signatures(f"{place}.signatures", carrier.signatures or ())
        if all(bind.mode is BindMode.RECEIVER for bind in carrier.bind):
            raise ConfigError(f"{place}.bind: must have at least one [[carrier.bind]] that sends")
        for bind in carrier.bind:
            _check_bind(f"{place}.bind[{bind.name}]", bind)


def _check_bind(place: str, bind: BindSettings) -> None:
    _check_host(f"{place}.host", bind.host, bind.host)
    for field in ("system_id", "password", "system_type"):  # C-Octet Strings: SMPP 3.4, section 3.1
        value = getattr(bind, field)
        if not value.isascii() or (value and not value.isprintable()):
            raise wrong(f"{place}.{field}", value, "must be of printable ASCII characters")
    longest, first = bind.reconnect_longest_seconds, bind.reconnect_first_seconds
    _check_order(f"{place}.reconnect_longest_seconds", longest, "reconnect_first_seconds", first)
    _check_tls(place, bind)


def _check_host(place: str, written: str, host: str) -> None:
    try:
        host.encode("idna")
        valid = host.isprintable() and " " not in host
    except UnicodeError:
        valid = False
    if not valid:
        raise wrong(place, written, "must be a name or address of a host")


def _check_tls(place: str, bind: BindSettings) -> None:
    for field in _TLS_FIELDS:
        value = getattr(bind, field)
        if value not in {"", TlsVersion.TLS_1_2} and not bind.tls:
            raise wrong(f"{place}.{field}", value, "must not be set without tls = true: nothing would be encrypted")
    for field in ("tls_key_file", "tls_key_password"):
        if getattr(bind, field) and not bind.tls_certificate_file:
            raise wrong(f"{place}.{field}", getattr(bind, field), "must not be set without tls_certificate_file")
    if bind.tls_server_name:
        _check_host(f"{place}.tls_server_name", bind.tls_server_name, bind.tls_server_name)
    try:
        client_context(bind)
    except TlsFault as fault:
        raise wrong(f"{place}.{fault.field}", getattr(bind, fault.field), fault.rule) from None


def _check_route(place: str, route: RouteSettings, carriers: Mapping[str, CarrierSettings], accounts: set[str]) -> None:
    _check_known(f"{place}.carriers", route.carriers, carriers, "a [[carrier]]")
    _check_known(f"{place}.accounts", route.accounts, accounts, "an [[account]]")
    _check_unique(f"{place}.carriers", route.carriers)
    _check_signatures(f"{place}.signatures", route.signatures)
    _check_windows(f"{place}.hours", route.hours)
    _check_weights(f"{place}.weights", route)
    if route.strategy is Strategy.CHEAPEST:
        for name in route.carriers:
            if carriers[name].price is None:
                raise ConfigError(f"carrier[{name}].price: must be set: {place} ranks it by its price")


def _check_weights(place: str, route: RouteSettings) -> None:
    weights = list(route.weights)
    if not weights:
        return
    if route.strategy is not Strategy.WEIGHTED:
        raise wrong(place, weights, 'must not be set without strategy = "weighted"')
    if len(weights) != len(route.carriers):
        raise wrong(place, weights, f"must be one for each of the {len(route.carriers)} carriers")
    if not any(weights):
        raise wrong(place, weights, "must not be all 0")


def _check_caps(caps: Sequence[Cap], settings: CapsSettings) -> None:
    _check_unique("cap.name", [cap.name for cap in caps])
    for cap in caps:
        place = f"cap[{cap.name}]"
        fault = cap.fault()
        if fault is not None:
            setting, value, rule = fault
            raise wrong(f"{place}.{setting}", value, rule)
        try:
            ZoneInfo(cap.time_zone)
        except (LookupError, OSError, ValueError):  # not there; or no name of one, such as ../
            raise wrong(f"{place}.time_zone", cap.time_zone, "must be a time zone such as Asia/Shanghai") from None
    for place_in_list, spelling in enumerate(settings.white_list, 1):
        try:
            normalise(spelling)
        except InvalidNumber as invalid:
            shown = mask("".join(filter(str.isdecimal, spelling)))
            rule = f"must be a number that messages can go to: {invalid.reason}"
            raise wrong(f"caps.white_list[{place_in_list}]", shown, rule) from None


def _check_signatures(place: str, signatures: Iterable[str]) -> None:
    for signature in signatures:
        fault = signature_fault(signature)
        if fault is not None:
            raise wrong(place, signature, f"must be a signature without 【】 ({fault})")


def _check_unique(place: str, values: Iterable[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise wrong(place, value, f"must be used once, is used {count} times")


def _check_known(place: str, names: Sequence[str], known: Container[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise wrong(place, name, f"must be the name of {what}")


def _check_order(place: str, longest: float, first_name: str, first: float) -> None:
    if longest < first:
        raise wrong(place, longest, f"must be at least {first_name} ({first})")
