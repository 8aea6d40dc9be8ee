"""Whoever reads Chinese is told in Chinese why a message was refused: every refusal has both sentences."""

import ast
from pathlib import Path

import pytest

import gateway

SOURCES = [path for path in Path(gateway.__file__).parent.rglob("*.py") if "Refusal(" in path.read_text("utf-8")]


def refusals(path: Path) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Refusal"]


def test_there_are_refusals_to_look_at():
    assert sum(len(refusals(path)) for path in SOURCES) >= 10


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_refusal_has_its_sentence_in_chinese_too(path: Path):
    lines = [call.lineno for call in refusals(path) if not any(each.arg == "chinese" for each in call.keywords)]
    assert not lines, f"{path}: Refusal without chinese= in lines {lines}"
