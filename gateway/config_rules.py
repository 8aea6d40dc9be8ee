"""What a declared type demands, in the words of somebody who writes a TOML file."""

import re
from typing import Any

from msgspec import inspect


def declared(kind: Any) -> Any:
    """A type without what is said about it, and without the None that a setting left out has."""
    if isinstance(kind, inspect.Metadata):
        return declared(kind.type)
    if isinstance(kind, inspect.UnionType):
        return declared(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
    return kind


def is_table(kind: Any) -> bool:
    """Whether a type is a table or a list of tables, whose values are too much to show."""
    bare = declared(kind)
    return isinstance(bare, inspect.StructType) or (isinstance(bare, inspect.VarTupleType) and is_table(bare.item_type))


def rule_of(kind: Any, value: object, place: str) -> str | None:
    """The rule that `value` breaks as a `kind`; None where the type says too little. `place`: where it stands."""
    bare = declared(kind)
    match bare:
        case inspect.IntType():
            return _number_rule(bare, "" if type(value) is int else "a whole number")
        case inspect.FloatType():
            return _number_rule(bare, "" if type(value) in {int, float} else "a number")
        case inspect.BoolType():
            return "must be true or false"
        case inspect.EnumType():
            return f"must be one of {', '.join(str(member.value) for member in bare.cls)}"
        case inspect.LiteralType():
            return f"must be one of {', '.join(map(str, bare.values))}"
        case inspect.StrType():
            return _text_rule(bare, _description(kind)) if isinstance(value, str) else "must be text"
        case inspect.VarTupleType() if is_table(bare):
            return f"must be written as [[{_heading(place)}]]"
        case inspect.VarTupleType():
            return f"must be a list of at least {bare.min_length}" if bare.min_length else "must be a list"
        case inspect.StructType():
            return None if isinstance(value, dict) else "must be a table"
        case _:
            return None


def _number_rule(kind: Any, what: str) -> str:
    """`what`: the sort of number, when the value is not even that."""
    if kind.ge is not None and kind.le is not None:
        limits = f"{kind.ge} to {kind.le}"
    else:
        bounds = {"at least": kind.ge, "above": kind.gt, "at most": kind.le, "below": kind.lt}
        limits = " and ".join(f"{words} {bound}" for words, bound in bounds.items() if bound is not None)
    return f"must be {', '.join(filter(None, (what, limits)))}"


def _text_rule(kind: Any, description: str | None) -> str | None:
    if description is not None:
        return f"must be {description}"
    if kind.pattern is not None:
        return f"must match {kind.pattern}"
    if kind.max_length is not None:
        least = f"{kind.min_length} to" if kind.min_length else "at most"
        return f"must have {least} {kind.max_length} characters"
    return None


def _description(kind: Any) -> str | None:
    """What `msgspec.Meta(description=…)` says of a type."""
    if isinstance(kind, inspect.Metadata):
        return (kind.extra_json_schema or {}).get("description")
    return None


def _heading(place: str) -> str:
    """`carrier[cmcc-a].bind` as the heading of a table: `carrier.bind`."""
    return re.sub(r"\[[^]]*\]", "", place)
