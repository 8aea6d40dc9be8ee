import re
from pathlib import Path

import pytest

from simulator.checking import SettingError, settings_from
from simulator.distributions import LogNormal, Uniform
from simulator.rules import Rule
from simulator.scenario import Phase, ReceiptForm, Scenario, in_phase, read_scenario
from simulator.settings import OtherSmsc, Settings, parse_toml, read_settings, split_address, with_scenario

CONFIG = Path(__file__).parents[2] / "config" / "simulator.toml"
DOCUMENT = CONFIG.parents[1] / "docs" / "simulator.md"
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
        ("speed = 1", "speed = 1: unknown; known here are receipts, response, rate, capacity, queue, binds, wire, "),
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
        ("[[smsc]]\nname = 'main'\nlisten = '127.0.0.1:0'", "must have a name of its own in each entry, and 'main'"),
        ("[[smsc]]\nname = 'a'\nlisten = 'here'", "smsc[1].listen = 'here': must be host:port"),
        ("binds.refuse_with = 'no'", "binds.refuse_with = 'no': must be the name of a command_status that refuses"),
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


MANY = {"rule", "smsc"}  # tables of which there are none at first; the config has an example of each behind #


def test_the_config_that_is_shipped_has_every_setting_with_its_default() -> None:
    document = parse_toml(CONFIG.read_bytes(), name="config")

    assert settings_from(document, Settings) == Settings()
    assert set(document) == set(Settings.__struct_fields__) - MANY
    for name, table in document.items():
        if isinstance(table, dict):
            fields = set(getattr(Settings(), name).__struct_fields__) - {"phase"}
            assert set(table) == fields, name
    assert list(document["account"][0]) == list(Settings().account[0].__struct_fields__)


def test_the_examples_in_the_config_can_be_had_and_have_every_setting() -> None:
    with_examples = re.sub(r"^#(?=[\[a-z])", "", CONFIG.read_text(), flags=re.MULTILINE)
    document = parse_toml(with_examples.encode(), name="config")
    settings = settings_from(document, Settings)

    tables = set(Scenario.__struct_fields__)
    assert set(document["rule"][0]) == set(Rule.__struct_fields__)
    assert set(document["timeline"]["phase"][0]) - tables == set(Phase.__struct_fields__) - tables
    assert set(document["smsc"][0]) - tables == set(OtherSmsc.__struct_fields__) - tables
    assert in_phase(settings.scenario, 0).response.latency_seconds == 1.5
    assert settings.of_each()["other"].receipts.form is ReceiptForm.TLV


def test_a_scenario_changes_what_it_names_and_leaves_the_rest_as_at_the_start() -> None:
    start = settings_from({"receipts": {"form": "text", "delay_seconds": 2}, "seed": 7}, Settings)

    scenario = read_scenario({"receipts": {"delay_seconds": 0.5}, "outcomes": {"mix": {"UNDELIV": 1}}}, start)

    assert (scenario.receipts.form, scenario.receipts.delay_seconds) == (start.receipts.form, 0.5)
    assert scenario.outcomes.mix == {"UNDELIV": 1.0}
    assert read_scenario({}, Settings()) == Scenario()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"smpp": {"window": 1}}, r"smpp = .*: unknown; known here are receipts, response, rate, capacity, queue, "),
        ({"smsc": []}, r"smsc = \[\]: unknown"),
        (
            {"queue": {"refuse_with": "ESME_ROK"}},
            r"queue\.refuse_with = 'ESME_ROK': must be the name of a command_status",
        ),
        (
            {"capacity": {"curve": [{"segments_per_second": 5}, {"segments_per_second": 5}]}},
            r"capacity\.curve = .*: must have points with ever higher segments_per_second",
        ),
        ({"inbound": {"sources": "86x"}}, r"inbound\.sources = '86x': must be the first digits of a number"),
        ({"inbound": {"texts": []}}, r"inbound\.texts = \[\]: must have 1 or more"),
        ({"wire": {"write_octets": -1}}, r"wire\.write_octets = -1: must be 0 or more"),
        ({"timeline": {"phase": [{}]}}, r"timeline\.phase\[1\]\.seconds: must be set"),
        (
            {"timeline": {"phase": [{"seconds": 1}, {"seconds": 1, "rate": {"burst_seconds": 0}}]}},
            r"timeline\.phase\[2\]\.rate\.burst_seconds = 0: must be 0\.001 or more",
        ),
        ({"timeline": {"phase": [{"seconds": 1, "do": "explode"}]}}, r"phase\[1\]\.do = 'explode': must be one of"),
        ({"rate": {"segments_per_second": -1}}, r"rate\.segments_per_second = -1: must be 0 or more"),
        ({"rate": 1}, r"rate = 1: must be a table, and is a whole number"),
        ([1], "the document: must be a table"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused_with_the_rule(document: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read_scenario(document, Settings())


def test_a_scenario_of_another_smsc_that_cannot_be_is_refused_when_the_config_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text("[[smsc]]\nname = 'other'\nlisten = '127.0.0.1:0'\nreceipts = { form = 'smoke' }")

    with pytest.raises(SettingError, match=r"smsc\[other\]\.receipts\.form = 'smoke': must be one of text, tlv, both"):
        read_settings(path)


def test_every_scenario_that_is_shipped_is_in_the_documentation() -> None:
    names = {line.split("`")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")}

    assert {path.stem for path in SCENARIOS.glob("*.toml")} <= names


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
