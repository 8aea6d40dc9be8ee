"""The dashboards and rules that come with the gateway: as they are built, and about metrics that there are."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.grafana.metrics import GATEWAY, SIMULATOR

FOLDER = Path(__file__).parents[2] / "grafana"
RULES = FOLDER / "prometheus" / "rules.yml"
METRIC = re.compile(r"\b(?:gateway|simulator)_[a-z_]+\b")
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


def load_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"grafana_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD = load_module("build")
FILES = sorted((FOLDER / "dashboards").glob("*.json"))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def test_the_files_are_what_is_built() -> None:
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == BUILD.built()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_asks_something_and_stands_beside_the_others(file: Path) -> None:
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    places = set()

    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            assert all(target["expr"] for target in panel["targets"])
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert (x, y) not in places, panel["title"]
                places.add((x, y))


def test_nothing_asks_for_a_metric_that_does_not_exist() -> None:
    asked = [rule["expr"] for rule in rules()]
    asked += [expr for file in FILES for expr in expressions(json.loads(file.read_text(encoding="utf-8")))]
    named = {name for expr in asked for name in METRIC.findall(expr)}

    unknown = {name for name in named if SUFFIX.sub("", name) not in GATEWAY | SIMULATOR}

    assert unknown == set()
    assert GATEWAY - {SUFFIX.sub("", name) for name in named} == set(), "no panel and no rule shows these"


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = [rule["expr"] for rule in rules()]
    asked += [expr for file in FILES for expr in expressions(json.loads(file.read_text(encoding="utf-8")))]

    assert {name for expr in asked for name in re.findall(r"yizhan:[a-z0-9_:]+", expr)} <= recorded


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    operations = (FOLDER.parent / "docs" / "alerts.md").read_text(encoding="utf-8")

    assert alerts
    for alert in alerts:
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["runbook"].endswith(".")
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert f"### {alert['alert']}" in operations
