"""/openapi.json describes every call with every answer, and the answers are as it says."""

import re
import time
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from gateway.http.fields import FILTERS, MESSAGE, MESSAGE_REQUIRED
from gateway.http.openapi import document
from gateway.http.problems import STATUS, Code
from gateway.http.reference import REFERENCE
from gateway.policy.verdict import Reason


@pytest.fixture
async def described(api: Any) -> Any:
    answer = await api.get("/openapi.json", key=None)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


def operations(described: Any) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_route_of_the_server_is_there_with_an_entry_of_its_own(api: Any, described: Any) -> None:
    labels = [route.label for route in api.server._routes]

    assert sorted(operations(described)) == sorted(labels)
    assert set(labels) <= set(REFERENCE), "what is not in the reference is described by its kind only"


async def test_a_call_asks_for_a_key_where_its_route_does_and_names_the_scope(api: Any, described: Any) -> None:
    for route in api.server._routes:
        operation = operations(described)[route.label]
        assert ("security" in operation) == (route.scope is not None), route.label
        assert operation.get("x-scope") == (None if route.scope is None else str(route.scope))
        assert ("requestBody" in operation) == route.takes_body, route.label


async def test_every_code_is_at_some_call_under_its_status(described: Any) -> None:
    told: dict[str, set[str]] = {}
    for operation in operations(described).values():
        for status, response in operation["responses"].items():
            for code in re.findall(r"`(\w+)`", response["description"]):
                told.setdefault(code, set()).add(status)

    assert set(told) | {"method_not_allowed"} == {*Code, *Reason}  # the paths' methods say which are allowed
    for code in Code:
        assert told.get(code, {str(STATUS[code])}) == {str(STATUS[code])} or code in set(Reason)


async def test_members_and_parameters_are_those_that_the_handlers_read_by(described: Any) -> None:
    message = described["components"]["schemas"]["MessageIn"]
    listed = operations(described)["GET /v1/messages"]["parameters"]

    assert list(message["properties"]) == list(MESSAGE)
    assert message["required"] == list(MESSAGE_REQUIRED)
    assert message["additionalProperties"] is False
    assert [each["name"] for each in listed] == list(FILTERS)
    assert {each["in"] for each in listed} == {"query"}


async def test_it_is_well_formed_and_every_reference_in_it_leads_somewhere(described: Any) -> None:
    text = msgspec.json.encode(described).decode()

    assert described["openapi"] == "3.1.0"
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in described["components"]["schemas"]
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "components": described["components"]})
    assert r"\\A" not in text, "a pattern as Python writes it means something else to others"
    names = [operation["operationId"] for operation in operations(described).values()]
    assert len(set(names)) == len(names)


async def test_a_route_without_an_entry_is_described_by_its_kind(api: Any) -> None:
    [route] = [route for route in api.server._routes if route.label == "POST /v1/reload"]
    renamed = msgspec.structs.replace(route, path="/v1/unwritten/{name}")

    operation = document([renamed], "1")["paths"]["/v1/unwritten/{name}"]["post"]

    assert operation["x-scope"] == "operate"
    assert [each["name"] for each in operation["parameters"]] == ["name"]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "500"}


async def test_it_is_made_once_and_costs_no_request_anything(api: Any) -> None:
    routes = list(api.server._routes)
    started = time.process_time()
    document(routes, "1")

    assert time.process_time() - started < 1.0  # at the start of the gateway, not later
    assert (await api.get("/openapi.json")).body == (await api.get("/openapi.json")).body


def test_the_copy_in_the_documents_is_named_in_the_docs() -> None:
    assert "/openapi.json" in (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")
