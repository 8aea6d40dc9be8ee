"""Which path and method lead where, and what a key needs to go there."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import msgspec

from gateway.account import Scope
from gateway.http.calls import Handler
from gateway.http.problems import Code, Problem

OPEN_SEGMENT: Final = re.compile(r"\{\w+\}")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API. One segment of `path` may be open, as in `/v1/messages/{id}/cancel`: it is any but empty."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None = None  # None: no key is asked for
    takes_body: bool = False
    body_is_optional: bool = False
    media_type: str = ""  # of its body, where that is neither JSON nor MessagePack

    @property
    def label(self) -> str:
        """What metrics and logs call it."""
        return f"{self.method} {self.path}"


class Calls(Protocol):
    """Some calls of the API that belong together."""

    def routes(self) -> Sequence[Route]: ...


class _Template(msgspec.Struct, frozen=True):
    """A path with an open segment, in two."""

    before: str
    after: str

    def argument(self, path: str) -> str:
        """What stands for the open segment, still encoded; empty when the path is another."""
        if not (path.startswith(self.before) and path.endswith(self.after)):
            return ""
        argument = path[len(self.before) : len(path) - len(self.after)]
        return "" if "/" in argument else argument


class Routes:
    """Finds the route of a request. A path that is written out wins over one with an open segment."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}  # by path, then by method
        self._open: dict[_Template, dict[str, Route]] = {}
        for route in routes:
            before, *after = OPEN_SEGMENT.split(route.path, maxsplit=1)
            if after:
                self._open.setdefault(_Template(before, after[0]), {})[route.method] = route
            else:
                self._fixed.setdefault(route.path, {})[route.method] = route

    def __iter__(self) -> Iterator[Route]:
        for methods in (*self._fixed.values(), *self._open.values()):
            yield from methods.values()

    def find(self, method: str, path: str) -> tuple[Route, str]:
        """The route, and what stands for its open segment. Raises Problem (404, 405). HEAD goes where GET goes."""
        if method == "HEAD":
            method = "GET"
        methods, argument = self._fixed.get(path), ""
        if methods is None:
            methods, argument = self._match(path)
        route = methods.get(method)
        if route is None:
            allowed = sorted([*methods, "HEAD"] if "GET" in methods else methods)
            detail = f"This path takes {', '.join(allowed)}."
            raise Problem(Code.METHOD_NOT_ALLOWED, detail, headers={"Allow": ", ".join(allowed)})
        return route, argument

    def _match(self, path: str) -> tuple[dict[str, Route], str]:
        """What leads where a template fits: there are few, and the busy calls have none."""
        for template, methods in self._open.items():
            argument = template.argument(path)
            if argument:
                return methods, argument
        raise Problem(Code.NOT_FOUND, "There is nothing at this path.")
