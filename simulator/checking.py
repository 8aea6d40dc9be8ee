"""Documents into settings: what is wrong with one is said as setting, value and rule.

SettingError   a document that cannot be settings: refuse it whole
"""

import re
from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

Settings = TypeVar("Settings")

_ABSENT: Final = object()
_SECRET: Final = re.compile(r"\bpassword$")
_FAULT: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_BOUND: Final = re.compile(r"Expected `\w+` (>=|<=|>|<) (-?[\d.]+)")
_LENGTH: Final = re.compile(r"Expected `\w+` of length (>=|<=) (\d+)")
_TYPE: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_FIELD: Final = re.compile(r"Object (contains unknown|missing required) field `(\w+)`")
_BOUNDS: Final = {">=": "{} or more", "<=": "at most {}", ">": "more than {}", "<": "less than {}"}
_TYPE_NAMES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


class SettingError(ValueError):
    """`setting` (a dotted path) breaks `rule`. Passwords are not shown."""

    def __init__(self, setting: str, rule: str, value: object = _ABSENT) -> None:
        shown = "" if value is _ABSENT else " = (not shown)" if _SECRET.search(setting) else f" = {_show(value)}"
        super().__init__(f"{setting}{shown}: {rule}")
        self.setting = setting
        self.rule = rule
        self._value = value

    def within(self, table: str) -> "SettingError":
        """Return the same of a setting in `table`."""
        return SettingError(f"{table}.{self.setting}", self.rule, self._value)


class BrokenRule(ValueError):  # noqa: N818 - it is caught in this module, and becomes a SettingError
    """What a Struct raises in `__post_init__`: the name of its field, and the rule that the value breaks."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


def settings_from(document: object, kind: type[Settings]) -> Settings:
    """Return `document`, as a TOML or JSON parser gives it, as settings of `kind`. Raises SettingError."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise _explain(error, document, kind) from error


def _explain(error: msgspec.ValidationError, document: object, kind: type) -> SettingError:
    fault = _FAULT.fullmatch(str(error))
    assert fault is not None  # every group may be empty
    what, path = fault["what"], fault["path"] or "$"
    if isinstance(error.__cause__, BrokenRule):
        path, rule = f"{path}.{error.__cause__.field}", error.__cause__.rule
    elif field := _FIELD.fullmatch(what):
        path = f"{path}.{field[2]}"
        known = ", ".join(name for option in _options(_type_at(kind, path, parent=True)) for name in _fields(option))
        rule = "must be set" if field[1] == "missing required" else f"unknown; known here are {known}"
    else:
        rule = _rule(what, kind, path)
    return SettingError(_name(document, path), rule, _value_at(document, path))


def _rule(what: str, kind: type, path: str) -> str:
    """Return msgspec's words as a rule, in the words of this program."""
    if bound := _BOUND.fullmatch(what):
        return f"must be {_BOUNDS[bound[1]].format(bound[2].removesuffix('.0'))}"
    if length := _LENGTH.fullmatch(what):
        return f"must have {_BOUNDS[length[1]].format(length[2])} of its kind"
    if types := _TYPE.fullmatch(what):
        wanted = " or ".join(_TYPE_NAMES.get(name, name) for name in types[1].split(" | "))
        return f"must be {wanted}, and is {_TYPE_NAMES.get(types[2], types[2])}"
    if what.startswith("Invalid enum value"):
        members = next(option for option in _options(_type_at(kind, path)) if issubclass(option, Enum))
        return f"must be one of {', '.join(str(member.value) for member in members)}"
    if what.startswith("Invalid value"):  # the tag of one of several tables
        tables = [
            option for option in _options(_type_at(kind, path, parent=True)) if issubclass(option, msgspec.Struct)
        ]
        return f"must be one of {', '.join(str(table.__struct_config__.tag) for table in tables)}"
    return what


def _steps(path: str) -> Iterator[tuple[str, str]]:
    return ((step[1] or "", step[2] or "") for step in _STEP.finditer(path))


def _name(document: object, path: str) -> str:
    """Return `path` as a person says it: entries of a list by their `system_id`, else counted from 1."""
    names: list[str] = []
    for key, index in _steps(path):
        if key:
            document = document.get(key) if isinstance(document, dict) else None
            names.append(f".{key}")
        else:
            is_entry = isinstance(document, list) and index.isdigit()
            document = document[int(index)] if is_entry else None  # type: ignore[index]
            label = document.get("system_id") if isinstance(document, dict) else None
            names.append(f"[{label or (int(index) + 1 if index.isdigit() else index)}]")
    return "".join(names).removeprefix(".") or "the document"


def _value_at(document: object, path: str) -> object:
    for key, index in _steps(path):
        if key and isinstance(document, dict) and key in document:
            document = document[key]
        elif index.isdigit() and isinstance(document, list):
            document = document[int(index)]
        else:
            return _ABSENT
    return document


def _type_at(kind: Any, path: str, *, parent: bool = False) -> Any:
    """Return the annotated type of what is at `path` in a document of `kind`, or of the table that it is in."""
    steps = list(_steps(path))
    for key, _ in steps[:-1] if parent else steps:
        if key:
            kind = next(_fields(option)[key] for option in _options(kind) if key in _fields(option))
        else:
            kind = get_args(next(option for option in _raw_options(kind) if get_args(option)))[0]
    return kind


def _fields(kind: type) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return {}


def _raw_options(kind: Any) -> list[Any]:
    """Return the members of a union, or `kind` alone, without annotations."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in {Union, UnionType}:
        return [option for member in get_args(kind) for option in _raw_options(member)]
    return [kind]


def _options(kind: Any) -> list[type]:
    return [option for option in _raw_options(kind) if isinstance(option, type)]


def _show(value: object) -> str:
    """Return `value` for a message, at most 60 characters of it."""
    text = repr(value) if isinstance(value, str) else str(msgspec.json.encode(value), "utf-8")
    return text if len(text) <= 60 else f"{text[:57]}..."
