"""Which path and method lead where, and what a key needs to go there."""

from collections.abc import Sequence

import msgspec

from gateway.account import Scope
from gateway.http.calls import Handler
from gateway.http.problems import Code, Problem

OPEN_SEGMENT = "{id}"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API. `path` may end in `{id}`, which stands for any one segment."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None = None  # None: no key is asked for
    takes_body: bool = False

    @property
    def label(self) -> str:
        """What metrics and logs call it."""
        return f"{self.method} {self.path}"


class Routes:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._methods: dict[str, list[str]] = {}
        for route in routes:
            self._routes[route.method, route.path] = route
            self._methods.setdefault(route.path, []).append(route.method)

    def find(self, method: str, path: str) -> tuple[Route, str]:
        """The route, and what stands for `{id}`. Raises Problem (404, 405). HEAD goes where GET goes."""
        if method == "HEAD":
            method = "GET"
        route = self._routes.get((method, path))
        if route is not None:
            return route, ""
        argument = ""
        if path not in self._methods:
            start, _, argument = path.rpartition("/")
            path = f"{start}/{OPEN_SEGMENT}"
            if not argument or path not in self._methods:
                raise Problem(Code.NOT_FOUND, "There is nothing at this path.")
            route = self._routes.get((method, path))
        if route is None:
            allowed = sorted(self._methods[path] + (["HEAD"] if "GET" in self._methods[path] else []))
            detail = f"This path takes {', '.join(allowed)}."
            raise Problem(Code.METHOD_NOT_ALLOWED, detail, headers={"Allow": ", ".join(allowed)})
        return route, argument
