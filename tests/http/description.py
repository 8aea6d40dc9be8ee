"""Holds answers to /openapi.json: every test that calls the API is a test of its description, too."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs
import msgspec

from gateway.http.openapi import document
from gateway.http.problems import Problem
from gateway.http.routes import Route, Routes

# Of all servers that tests start, for they have the same routes, and these take long to make.
_documents: dict[tuple[Any, ...], Any] = {}
_validators: dict[tuple[str, int], Any] = {}


class Description:
    """The description of some routes, and whether an answer is one that it has."""

    def __init__(self, routes: Iterable[Route]) -> None:
        listed = list(routes)
        self._find = Routes(listed).find
        kind = tuple((route.label, route.scope) for route in listed)
        if kind not in _documents:
            _documents[kind] = document(listed, "1")
        self._document: Any = _documents[kind]

    def check(self, method: str, path: str, status: int, content_type: str, body: bytes) -> None:
        """Raise AssertionError where an answer is none of those described. HEAD has none; what has no path, neither."""
        try:
            route, _ = self._find(method, path.partition("?")[0])
        except Problem:
            return
        if method == "HEAD":
            return
        responses = self._document["paths"][route.path][route.method.lower()]["responses"]
        assert str(status) in responses, f"{route.label} answered {status}, which is not in its description"
        content = responses[str(status)]["content"]
        media_type = content_type.partition(";")[0]
        assert media_type in content, f"{route.label} answered {status} as {media_type}"
        if media_type.endswith("json"):
            self._validator(route.label, status, content[media_type]["schema"]).validate(msgspec.json.decode(body))

    def _validator(self, label: str, status: int, schema: Any) -> Any:
        key = (label, status)
        if key not in _validators:
            whole = {**schema, "components": self._document["components"]}
            _validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return _validators[key]
