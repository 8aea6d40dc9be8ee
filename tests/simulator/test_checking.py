import re
from pathlib import Path

import pytest

from simulator.checking import SettingError, settings_from
from simulator.distributions import LogNormal, Uniform
from simulator.settings import (
    Scenario,
    Settings,
    parse_toml,
    read_scenario,
    read_settings,
    split_address,
    with_scenario,
)

CONFIG = Path(__file__).parents[2] / "config" / "simulator.toml"
SCENARIOS = CONFIG.parent / "scenarios"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("receipts.delay_seconds = -1", "receipts.delay_seconds = -1: must be 0 or more"),
        ("smpp.window = 0", "smpp.window = 0: must be 1 or more"),
        ("smpp.window = 10_001", "smpp.window = 10001: must be at most 10000"),
        ("smpp.window = 'many'", "smpp.window = 'many': must be a whole number, and is a text"),
        ("seed = 1.5", "seed = 1.5: must be a whole number, and is a number"),
        ("rate = 3", "rate = 3: must be a table, and is a whole number"),
        ("smpp.port = 1", "smpp.port = 1: unknown; known here are listen, window, overload, "),
        ("speed = 1", "speed = 1: unknown; known here are receipts, response, rate, binds, outcomes, seed, "),
        ("smpp.listen = 'here'", "smpp.listen = 'here': must be host:port, with a port of 0 to 65535"),
        ("smpp.overload = 'panic'", "smpp.overload = 'panic': must be one of refuse, read-slower"),
        (
            "receipts.delay_seconds = { kind = 'normal' }",
            "receipts.delay_seconds.kind = 'normal': must be one of uniform, log-normal",
        ),
        (
            "receipts.delay_seconds = { kind = 'uniform', low = 2, high = 1 }",
            "receipts.delay_seconds.high = 1: must be at least low, 2.0",
        ),
        (
            "receipts.delay_seconds = { kind = 'log-normal' }",
            "receipts.delay_seconds.median: must be set",
        ),
        ("[[account]]\nsystem_id = 'a'\nmax_binds = 0", "account[a].max_binds = 0: must be 1 or more"),
        (
            "[[account]]\nsystem_id = 'a'\nmodes = ['both']",
            "account[a].modes[1] = 'both': must be one of transmitter, ",
        ),
        ("[[account]]\nsystem_id = ''", "account[1].system_id = '': must have 1 or more"),
        ("account = []", "account = []: must have at least one entry"),
        ("[[account]]\n[[account]]", "account = [{},{}]: must have a system_id of its own in each entry"),
        ("outcomes.mix = { LOST = 0.1 }", "outcomes.mix.LOST = 0.1: unknown; known here are DELIVRD, "),
        ("binds.refuse_with = 'no'", "binds.refuse_with = 'no': must be the name of a command_status, or nothing"),
        ("outcomes.mix = { UNDELIV = 2 }", "must be at most 1"),
        (
            "outcomes.mix = { UNDELIV = 0.6, EXPIRED = 0.5 }",
            'outcomes.mix = {"UNDELIV":0.6,"EXPIRED":0.5}: must be shares that add up to at most 1',
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_its_rule(document: str, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        settings_from(parse_toml(document.encode(), name="config"), Settings)


def test_a_wrong_password_is_not_shown() -> None:
    with pytest.raises(SettingError) as caught:
        settings_from({"account": [{"system_id": "a", "password": "much-too-long"}]}, Settings)

    assert "much-too-long" not in str(caught.value)
    assert str(caught.value).startswith("account[a].password = (not shown): must have at most 8")


def test_what_is_not_toml_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("seed = = 1")

    with pytest.raises(SettingError, match=r"broken\.toml: is not TOML"):
        read_settings(path)


def test_the_config_that_is_shipped_has_every_setting_with_its_default() -> None:
    document = parse_toml(CONFIG.read_bytes(), name="config")

    assert settings_from(document, Settings) == Settings()
    assert set(document) == set(Settings.__struct_fields__)
    for name, table in document.items():
        if isinstance(table, dict):
            assert list(table) == list(getattr(Settings(), name).__struct_fields__), name
    assert list(document["account"][0]) == list(Settings().account[0].__struct_fields__)


def test_a_scenario_changes_what_it_names_and_leaves_the_rest_as_at_the_start() -> None:
    start = settings_from({"receipts": {"form": "text", "delay_seconds": 2}, "seed": 7}, Settings)

    scenario = read_scenario({"receipts": {"delay_seconds": 0.5}, "outcomes": {"mix": {"UNDELIV": 1}}}, start)

    assert (scenario.receipts.form, scenario.receipts.delay_seconds) == (start.receipts.form, 0.5)
    assert scenario.outcomes.mix == {"UNDELIV": 1.0}
    assert read_scenario({}, Settings()) == Scenario()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"smpp": {"window": 1}}, r"smpp = .*: unknown; known here are receipts, response, rate, binds, outcomes"),
        ({"rate": {"segments_per_second": -1}}, r"rate\.segments_per_second = -1: must be 0 or more"),
        ({"rate": 1}, r"rate = 1: must be a table, and is a whole number"),
        ([1], "the document: must be a table"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused_with_the_rule(document: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read_scenario(document, Settings())


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_that_is_shipped_can_be_run(path: Path) -> None:
    changed = with_scenario(Settings(), path)

    assert changed != Settings()
    assert changed.smpp == Settings().smpp


def test_an_address_is_split_at_its_last_colon() -> None:
    assert split_address("127.0.0.1:2775") == ("127.0.0.1", 2775)
    assert split_address("[::1]:0") == ("::1", 0)


def test_delays_are_numbers_or_tables() -> None:
    document = {
        "receipts": {"delay_seconds": {"kind": "log-normal", "median": 0.2}},
        "response": {"latency_seconds": {"kind": "uniform", "low": 1, "high": 2}},
    }

    settings = settings_from(document, Settings)

    assert settings.receipts.delay_seconds == LogNormal(0.2)
    assert settings.response.latency_seconds == Uniform(1.0, 2.0)
