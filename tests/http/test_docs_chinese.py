"""docs/http-api.zh-CN.md has the same calls, members, statuses and codes as the code, and its examples are taken."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.http.fields import MESSAGE
from gateway.http.problems import STATUS, Code
from gateway.http.reference import REFERENCE
from gateway.message import Status
from gateway.policy.verdict import Reason

DOCS = (Path(__file__).parents[2] / "docs" / "http-api.zh-CN.md").read_text("utf-8")


def rows(title: str) -> list[str]:
    """The first cells of the table in a section."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return re.findall(r"^\| `([^`]+)` \|", found[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("提交", list(MESSAGE)),
        ("状态", list(Status)),
        ("全部调用", list(REFERENCE)),
        ("请求的错误码", list(Code)),
    ],
)
def test_it_tells_what_the_code_has(title: str, names: list[str]) -> None:
    assert rows(title) == names


def test_every_code_is_told_and_that_of_a_request_with_its_status() -> None:
    assert sorted(rows("短信的错误码")) == sorted(Reason)
    for code, status in STATUS.items():
        assert f"| `{code}` | {status} |" in DOCS


def test_every_link_inside_leads_somewhere() -> None:
    headings = set(re.findall(r"^#+ (.*)$", DOCS, re.MULTILINE))

    assert set(re.findall(r"\]\(#([^)]*)\)", DOCS)) <= headings


async def test_its_example_is_taken(api: Any) -> None:
    [body] = re.findall(r"-d '(.*?)'", DOCS)

    assert (await api.post(body.encode())).status == 202
