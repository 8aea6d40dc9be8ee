"""docs/http-api.md says what there is: every member, parameter, code, status and path, and its examples are real."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.http.fields import FILTERS, MESSAGE
from gateway.http.problems import STATUS, Code
from gateway.message import Status
from gateway.policy.verdict import Reason

DOCS = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next one of the same level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^#{{1,3}} |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[2]


def rows(title: str) -> list[str]:
    """The first cells of the table in a section."""
    return re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE)


def test_every_member_parameter_and_status_is_told() -> None:
    assert rows("Submit messages") == list(MESSAGE)
    assert sorted(rows("List and search")) == sorted(FILTERS)
    assert rows("Ask for one message") == list(Status)


def test_every_code_is_told_with_its_status() -> None:
    assert rows("Codes of a request") == list(Code)
    assert sorted(rows("Codes of a message")) == sorted(Reason)
    for code, status in STATUS.items():
        assert f"| `{code}` | {status} |" in DOCS


def test_every_path_is_told(api: Any) -> None:
    for label in (route.label for route in api.server._routes):
        assert f"`{label}`" in DOCS, label


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
def test_every_example_is_json(example: str) -> None:
    msgspec.json.decode(example)


def test_every_link_inside_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", DOCS, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]*)\)", DOCS)) <= anchors


@pytest.mark.parametrize("bodies", [re.findall(r"-d '(.*?)'", DOCS)])
async def test_the_bodies_of_the_examples_are_taken(api: Any, bodies: list[str]) -> None:
    message, search = bodies

    accepted = await api.post(message.encode())
    found = await api.call(
        "POST", "/v1/messages/search", data=search.encode(), headers={"Content-Type": "application/json"}
    )

    assert accepted.status == 202
    assert [each["id"] for each in found.json["messages"]] == [accepted.json["id"]]
