"""Words for a wrong setting: its place as the operator wrote it, its value, and the rule that it breaks."""

import difflib
import json
import re
from datetime import date, time
from typing import Any, Final

import msgspec
from msgspec import inspect

from gateway.config_rules import declared, is_table, rule_of

# Settings whose values are never shown, wherever they stand and whatever is wrong with them.
SECRETS: Final = frozenset({"key", "key_sha256", "password", "ported_key", "secret", "tls_key_password"})

_SHOWN_CHARACTERS: Final = 60
_ABSENT: Final = object()
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")

# What msgspec says, taken apart. The steps of its path are fields of tables and places in lists.
_FAULT: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+)\]")
_FIELD: Final = re.compile(r"Object (?P<fault>contains unknown|missing required) field `(?P<field>.*)`", re.DOTALL)
# What a table says that checks itself: the name of its setting, perhaps its value, and the rule.
_OWN: Final = re.compile(r"(?P<field>\w+)\b.*: (?P<rule>must .*)", re.DOTALL)


class ConfigError(Exception):
    """The configuration cannot be used. The text names setting, value and rule, one fault."""


class Spot(msgspec.Struct, frozen=True):
    """Somewhere in a file: its place in words, the value there, and the type that is declared for it."""

    place: str
    value: Any
    kind: Any

    def field(self, name: str) -> "Spot":
        """The setting of this name in the table that is here; its default, where the file leaves it out."""
        place = f"{self.place}.{name}" if self.place else name
        kind = declared(self.kind)
        known = {each.encode_name: each for each in kind.fields} if isinstance(kind, inspect.StructType) else {}
        default = known[name].default if name in known else _ABSENT
        value = self.value.get(name, default) if isinstance(self.value, dict) else _ABSENT
        return Spot(place, value, known[name].type if name in known else None)

    def entry(self, index: int) -> "Spot":
        """The entry of the list that is here, counted from 0."""
        value = self.value[index] if isinstance(self.value, list) and index < len(self.value) else _ABSENT
        kind = declared(self.kind)
        inner = kind.item_type if isinstance(kind, inspect.VarTupleType) else None
        return Spot(entry_place(self.place, value, index), value, inner)

    @property
    def fields(self) -> list[str]:
        """The settings that the table here may have."""
        kind = declared(self.kind)
        return [field.encode_name for field in kind.fields] if isinstance(kind, inspect.StructType) else []


def wrong(place: str, value: object, rule: str) -> ConfigError:
    """The error for a value that breaks a rule. Secrets stay hidden."""
    return ConfigError(f"{place} = {_shown(place, value)}: {rule}")


def entry_place(place: str, entry: object, index: int) -> str:
    """The place of a list's entry: by its name, where it has a usable one, else counted from 1."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{place}[{name if isinstance(name, str) and _NAME.fullmatch(name) else index + 1}]"


def from_validation_error(error: msgspec.ValidationError, document: Any, root: type[msgspec.Struct]) -> ConfigError:
    """Turn msgspec's words into ours."""
    fault = _FAULT.fullmatch(str(error))
    assert fault is not None  # it takes anything
    spot = Spot("", document, inspect.type_info(root))
    for step in _STEP.finditer(fault["path"] or ""):
        spot = spot.field(step["field"]) if step["field"] else spot.entry(int(step["index"]))
    field = _FIELD.fullmatch(fault["what"])
    if field is not None:
        missing = field["fault"] == "missing required"
        return _missing(spot.field(field["field"])) if missing else _unknown(spot, field["field"])
    own = _OWN.fullmatch(fault["what"])
    if own is not None and own["field"] in spot.fields:
        setting = spot.field(own["field"])
        return wrong(setting.place, setting.value, own["rule"])
    rule = rule_of(spot.kind, spot.value, spot.place) or fault["what"]
    return ConfigError(f"{spot.place}: {rule}") if is_table(spot.kind) else wrong(spot.place, spot.value, rule)


def _missing(spot: Spot) -> ConfigError:
    return ConfigError(f"{spot.place}: must be set")


def _unknown(spot: Spot, field: str) -> ConfigError:
    place = spot.field(field if _NAME.fullmatch(field) else _cut(json.dumps(field, ensure_ascii=False))).place
    close = difflib.get_close_matches(field, spot.fields, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here are {', '.join(spot.fields)}"
    return ConfigError(f"{place}: is not a setting; {hint}")


def _shown(place: str, value: object) -> str:
    """A value as the file writes it, and not too much of it."""
    is_cap_key = place.startswith("cap[") and isinstance(value, list)  # what it counts by, and no secret
    if place.rpartition(".")[2] in SECRETS and not is_cap_key:
        return "(hidden)"
    match value:
        case dict():
            return "(a table)"
        case list() | tuple():
            return "(a list)"
        case date() | time():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case str():
            return _cut(json.dumps(value, ensure_ascii=False))
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
