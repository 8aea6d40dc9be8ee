"""Words for a wrong setting: its place as the operator wrote it, its value, and the rule that it breaks."""

import difflib
import re
from typing import Any, Final

import msgspec
from msgspec import inspect

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.(?P<field>[A-Za-z0-9_-]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<field>[^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>[^`]*)`$")
_EXPECTED: Final = re.compile(r"^Expected (?P<what>.*?)(?:, got .*)?$")
_HIDDEN: Final = frozenset({"key", "key_sha256", "password", "secret"})


class ConfigError(Exception):
    """The configuration cannot be used. The text names setting, value and rule, one fault."""


def from_validation_error(error: msgspec.ValidationError, document: Any, root: type[msgspec.Struct]) -> ConfigError:
    """Turn msgspec's words into ours."""
    text = str(error)
    found = _PLACE.search(text)
    path = found["path"] if found else ""
    rule = text[: found.start()] if found else text
    place, value = _follow(path, document)
    unknown = _UNKNOWN.match(rule)
    if unknown is not None:
        field = unknown["field"]
        known = _fields_at(path, root)
        close = difflib.get_close_matches(field, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}" if known else ""
        return ConfigError(f"{_join(place, field)}: is not a setting{hint}")
    missing = _MISSING.match(rule)
    if missing is not None:
        return ConfigError(f"{_join(place, missing['field'])}: must be set")
    own = re.match(r"(?P<field>[a-z_]+) = (?P<rest>.*)", rule, re.DOTALL)
    if own is not None:  # a settings struct checked itself, and named its field
        return ConfigError(f"{_join(place, own['field'])} = {own['rest']}")
    return ConfigError(f"{place} = {_shown(place, value)}: {_rule(_kind_at(path, root), rule, value)}")


def _follow(path: str, document: Any) -> tuple[str, Any]:
    """A place in the document as its reader knows it (`carrier[cmcc-a].window`), and the value there."""
    place, value = "", document
    for step in _STEP.finditer(path):
        if step["field"] is not None:
            place = _join(place, step["field"])
            value = value.get(step["field"]) if isinstance(value, dict) else None
        elif step["index"] is not None:
            index = int(step["index"])
            value = value[index] if isinstance(value, list) and index < len(value) else None
            name = value.get("name") if isinstance(value, dict) else None
            place += f"[{name if isinstance(name, str) else index + 1}]"
    return place or "the file", value


def _fields_at(path: str, root: type[msgspec.Struct]) -> list[str]:
    """The settings that are known at a place."""
    kind = _kind_at(path, root)
    return [field.encode_name for field in kind.fields] if isinstance(kind, inspect.StructType) else []


def _kind_at(path: str, root: type[msgspec.Struct]) -> Any:
    """The type that is declared at a place."""
    kind: Any = inspect.type_info(root)
    for step in _STEP.finditer(path):
        kind = _unwrap(kind)
        if isinstance(kind, inspect.StructType) and step["field"] is not None:
            kind = next((field.type for field in kind.fields if field.encode_name == step["field"]), None)
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(kind, inspect.VarTupleType):
            kind = kind.item_type
    return _unwrap(kind)


def _unwrap(kind: Any) -> Any:
    """A type without what is said about it, and without None."""
    if isinstance(kind, inspect.Metadata):
        return _unwrap(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _unwrap(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
    return kind


def _join(place: str, field: str) -> str:
    return field if place in {"", "the file"} else f"{place}.{field}"


def _shown(place: str, value: Any) -> str:
    if place.rpartition(".")[2] in _HIDDEN:
        return "(hidden)"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _rule(kind: Any, text: str, value: Any) -> str:
    """The rule that a value breaks."""
    match kind:
        case inspect.IntType() | inspect.FloatType() if isinstance(value, int | float) and kind.le is not None:
            low = f"above {kind.gt} and at most" if kind.gt is not None else f"{kind.ge} to"
            number = "" if isinstance(value, int) or isinstance(kind, inspect.FloatType) else "a whole number, "
            return f"must be {number}{low} {kind.le}"
        case inspect.EnumType():
            return f"must be one of {', '.join(str(member.value) for member in kind.cls)}"
        case inspect.LiteralType():
            return f"must be one of {', '.join(map(str, kind.values))}"
        case inspect.StrType() if isinstance(value, str) and kind.pattern is not None:
            return f"must match {kind.pattern}"
        case inspect.StrType() if isinstance(value, str) and kind.max_length is not None:
            return f"must have {kind.min_length or 0} to {kind.max_length} characters"
        case _:
            return _in_words(text)


def _in_words(text: str) -> str:
    """What msgspec says of a type, in the words of TOML."""
    expected = _EXPECTED.match(text)
    if expected is None:
        return text
    words = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list"}
    what = expected["what"].replace("`", "")
    kind, _, limit = what.partition(" ")
    return f"must be {words.get(kind, kind)} {limit}".rstrip()
