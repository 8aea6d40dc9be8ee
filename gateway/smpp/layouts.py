"""Layouts compiled: a body declared as data becomes two straight-line functions, once, at import.

Field-by-field dispatch costs ten times as much as code that names each field. So the code is written out here, from
nothing but the declarations in `pdus.py`.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from .constants import RESPONSE_BIT
from .errors import DecodeError, EncodeError
from .statuses import CommandStatus
from .tlvs import decode_tlvs, decode_tlvs_leniently, encode_tlvs
from .wire import (
    HEADER,
    HEADER_BYTES,
    Counted,
    CString,
    Field,
    OptionalParameters,
    Records,
    UInt,
    cut_off,
    unterminated,
)

# The character of each octet. A dict, so that what is no octet is a KeyError and not another octet.
_OCTETS: Final = {octet: chr(octet) for octet in range(256)}

# Strings of up to so many octets, times and service types, are nearly always empty: one look spares a search.
_OFTEN_EMPTY: Final = 17


class Layout(NamedTuple):
    """What a body's declaration compiles to.

    `encode(body, command_status, sequence_number)` gives the whole PDU and raises EncodeError.
    `decode(data)` takes a whole PDU and raises DecodeError; the header is not its business.
    """

    encode: Callable[[Any, int, int], bytes]
    decode: Callable[[bytes], Any]


def compile_layout(body_type: type[msgspec.Struct], command_id: int, *, bare_when_refused: bool) -> Layout:
    """Compile the fields of `body_type`, in the order of their declaration.

    With `bare_when_refused` a PDU with a command_status other than 0 is written without its body.
    """
    fields = declared_fields(body_type)
    names: dict[str, Any] = {
        "HEADER": HEADER.pack,
        "OCTETS": _OCTETS,
        "Body": body_type,
        "DecodeError": DecodeError,
        "struct_error": struct.error,
        "cut_off": cut_off,
        "decode_tlvs": decode_tlvs_leniently if command_id & RESPONSE_BIT else decode_tlvs,
        "encode_tlvs": encode_tlvs,
        "trailing": _trailing,
        "unfit": lambda body, status, number: _explain(body, fields, status, number),
        "unterminated": unterminated,
    }
    for name, kind in fields.items():
        names[f"KIND_{name}"] = kind
    source = _encoder(fields, command_id, bare_when_refused=bare_when_refused) + _decoder(fields, command_id)
    exec(compile(source, f"<layout of {body_type.__name__}>", "exec"), names)  # noqa: S102 - our own text, see above
    return Layout(names["encode"], names["decode"])


def declared_fields(body_type: type[msgspec.Struct]) -> dict[str, Field]:
    """The fields of `body_type` in wire order, each with its kind."""
    hints = get_type_hints(body_type, include_extras=True)
    return {name: hints[name].__metadata__[0] for name in body_type.__struct_fields__}


def _encoder(fields: dict[str, Field], command_id: int, *, bare_when_refused: bool) -> str:
    """The source of `encode`: conditions first, then the pieces, then all of them behind a header."""
    conditions, pieces, optional = _pieces(fields)
    lines = ["def encode(body, status, number):"]
    if bare_when_refused:
        lines += ["    if status:", f"        return HEADER({HEADER_BYTES}, {int(command_id)}, status, number)"]
    lines += [f"    {name} = body.{name}" for name in fields]
    if conditions:
        lines += [f"    if {' or '.join(conditions)}:", "        raise unfit(body, status, number)"]
    lines.append("    try:")
    lines += [f"        piece_{index} = {piece}" for index, piece in enumerate(pieces)]
    names = [f"piece_{index}" for index in range(len(pieces))]
    if optional:
        lines += [
            f"        if {optional}:",
            f"            parameters = encode_tlvs({optional})",
            f"            return {_joined(command_id, [*names, 'parameters'])}",
        ]
    lines += [
        f"        return {_joined(command_id, names)}",
        "    except (KeyError, ValueError, struct_error):",
        "        raise unfit(body, status, number) from None",
    ]
    return "\n".join(lines) + "\n"


def _pieces(fields: dict[str, Field]) -> tuple[list[str], list[str], str]:
    """What must not be so of the fields, bytes expressions for them in wire order, and the optional parameters' name.

    Strings and integers that stand together are one f-string, encoded in one go.
    """
    conditions: list[str] = []
    pieces: list[str] = []
    run = ""  # the f-string being gathered
    optional = ""

    for name, kind in fields.items():
        match kind:
            case UInt(octets=1):
                run += f"{{OCTETS[{name}]}}"
            case CString(size=size):
                conditions.append(f'len({name}) >= {size} or "\\0" in {name}')
                run += f"{{{name}}}\\0"
            case Counted(size=size):
                conditions.append(f"len({name}) > {size}")
                run += f"{{OCTETS[len({name})]}}"
                pieces += [f'f"{run}".encode("latin-1")', name]
                run = ""
            case Records():
                pieces += [f'f"{run}".encode("latin-1")', f"KIND_{name}.encode({name})"]
                run = ""
            case OptionalParameters():
                optional = name
            case UInt():
                raise TypeError(f"{name}: wider integers stand in records and parameters only")
    if run:
        pieces.append(f'f"{run}".encode("latin-1")')
    return conditions, pieces, optional


def _joined(command_id: int, names: list[str]) -> str:
    """The expression for a header and what is in these names behind it."""
    length = "".join(f" + len({name})" for name in names)
    behind = "".join(f" + {name}" for name in names)
    return f"HEADER({HEADER_BYTES}{length}, {int(command_id)}, status, number){behind}"


def _decoder(fields: dict[str, Field], command_id: int) -> str:
    """The source of `decode`. The PDU is read as one Latin-1 string too, so that each string in it is one slice."""
    lines: list[str] = []
    at, ahead = str(HEADER_BYTES), 0  # the next field begins at the value of `at`, plus `ahead`

    def here() -> str:
        return f"{at} + {ahead}" if ahead else at

    for name, kind in fields.items():
        match kind:
            case UInt(octets=1):
                lines.append(f"{name} = data[{here()}]")
                ahead += 1
            case CString(size=size):
                find = [
                    f'end = text.find("\\0", start, start + {size})',
                    "if end < 0:",
                    f'    raise unterminated(len(data), start, KIND_{name}, "{name}")',
                    f"{name} = text[start:end]",
                ]
                lines.append(f"start = {here()}")
                if size <= _OFTEN_EMPTY:
                    lines += ["if data[start]:", *(f"    {line}" for line in find)]
                    lines += ["else:", "    end = start", f'    {name} = ""']
                else:
                    lines += find
                at, ahead = "end", 1
            case Counted():
                lines += [
                    f"start = {here()} + 1",
                    "end = start + data[start - 1]",
                    "if end > len(data):",
                    f'    raise DecodeError("{name}", "longer than the PDU", {int(kind.refusal)})',
                    f"{name} = data[start:end]",
                ]
                at, ahead = "end", 0
            case Records():
                lines.append(f"{name}, end = KIND_{name}.decode(data, {here()})")
                at, ahead = "end", 0
            case OptionalParameters():
                lines += [
                    f"end = {here()}",
                    f"{name} = decode_tlvs(data, end) if end < len(data) else ()",
                ]
                at, ahead = "len(data)", 0
            case UInt():
                raise TypeError(f"{name}: wider integers stand in records and parameters only")
    if not command_id & RESPONSE_BIT and at != "len(data)":
        # A request that is longer than its layout is refused; of a response, what is too much is ignored.
        lines += [f"if {here()} < len(data):", "    raise trailing()"]
    lines.append(f"return Body({', '.join(fields)})")

    body = "\n".join(f"        {line}" for line in lines)
    last = next(reversed(fields), "body")
    return (
        "def decode(data):\n"
        '    text = data.decode("latin-1")\n'
        "    try:\n"
        f"{body}\n"
        "    except IndexError:\n"
        f'        raise cut_off("{last}") from None\n'
    )


def _trailing() -> DecodeError:
    return DecodeError("body", "longer than its layout", CommandStatus.ESME_RINVCMDLEN)


def _explain(body: msgspec.Struct, fields: dict[str, Field], status: int, number: int) -> EncodeError:
    """Which field of `body` does not fit, and why: the slow way, taken only when the fast one has failed."""
    for name, kind in fields.items():
        reason = kind.explain(getattr(body, name))
        if reason is not None:
            return EncodeError(name, reason)
    if not 0 <= status <= 0xFFFF_FFFF:
        return EncodeError("command_status", "must fit 32 bits")
    assert not 0 <= number <= 0xFFFF_FFFF, "an encoder failed on a body that fits"
    return EncodeError("sequence_number", "must fit 32 bits")
