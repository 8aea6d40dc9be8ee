"""Lists in pages: the parameters of a query, and cursors that say where the next page begins."""

import base64
import binascii
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.http.calls import Call
from gateway.http.fields import Field, Fields, Limit, take_parameters
from gateway.http.problems import Code, Fault, Problem, invalid

DEFAULT_LIMIT: Final = 100
MAX_ID: Final = 2**63 - 1
CURSOR_RULE: Final = "must be the cursor of an earlier page"

PAGE: Final[Fields] = {
    "cursor": Field(str, CURSOR_RULE),
    "limit": Field(Limit, "must be an integer from 1 to 1000"),
}
# Of lists whose cursors are sealed: see `gateway.http.cursors`.
SEALED_PAGE: Final[Fields] = {
    **PAGE,
    "cursor": Field(str, f"{CURSOR_RULE}, of a gateway that was not started anew since"),
}

_MAX_PARAMETERS: Final = 20


def take_query(call: Call, fields: Fields) -> dict[str, Any]:
    """The parameters of a call's query, each well-formed. Raises Problem with all that is wrong with them."""
    values, faults = read_query(call, fields)
    if faults:
        raise invalid(*faults)
    return values


def read_query(call: Call, fields: Fields) -> tuple[dict[str, Any], list[Fault]]:
    """The parameters of a call's query that are well-formed, and what is wrong with the others. Raises Problem."""
    return take_parameters(_parameters(call.query, fields), fields)


def wrong_cursor(fields: Fields = PAGE) -> Problem:
    """The cursor is none of ours."""
    return invalid(Fault(parameter="cursor", rule=fields["cursor"].rule))


def unreadable() -> Problem:
    """A page cannot be read."""
    return Problem(Code.STORE_UNAVAILABLE, "The store cannot be read at the moment.")


class IdCursors:
    """Cursors that hold an id. `version`: another for each list, so that one's is not taken for another's."""

    def __init__(self, version: int) -> None:
        self._version = bytes([version])

    def of(self, place: int | None) -> str | None:
        """The cursor of a place in a list, for the client to hand back; None at its end."""
        if place is None:
            return None
        return base64.urlsafe_b64encode(self._version + place.to_bytes(8, "big")).decode("ascii")

    def place(self, values: dict[str, Any]) -> int | None:
        """The place that the cursor of a query means; None without a cursor. Raises Problem."""
        cursor = values.get("cursor")
        if cursor is None:
            return None
        place = self.parse(cursor)
        if place is None:
            raise wrong_cursor()
        return place

    def parse(self, cursor: str) -> int | None:
        """The place that a cursor means; None when it is none of ours."""
        try:
            octets = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(octets) != 9 or octets[:1] != self._version:
            return None
        number = int.from_bytes(octets[1:], "big")
        return number if number <= MAX_ID else None


def _parameters(query: str, fields: Fields) -> dict[str, str]:
    """The parameters of a query, each at most once. Raises Problem."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        rule = f"must be at most {_MAX_PARAMETERS} parameters in UTF-8"
        raise invalid(Fault(parameter="?", rule=rule)) from None
    parameters = dict(pairs)
    for name, _ in pairs:
        if name in fields and sum(name == other for other, _ in pairs) > 1:
            raise invalid(Fault(parameter=name, rule="must not come twice"))
    # A plus that was not written %2B has become a space: give it back where only a plus makes sense.
    if parameters.get("to", "").startswith(" "):
        parameters["to"] = "+" + parameters["to"][1:]
    if "T" in parameters.get("since", ""):
        parameters["since"] = parameters["since"].replace(" ", "+")
    return parameters
