import tomllib
from pathlib import Path
from typing import Any

import pytest

from loadtest.configuration import account_of, place, read_tables, to_toml
from loadtest.errors import CannotRun

DEMO = Path(__file__).parents[2] / "config" / "demo.toml"


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"http": {"listen": "127.0.0.1:0", "max_messages": 10, "metrics_need_key": True}},
        {"account": [{"name": "a", "signatures": ["阳光物业", 'a "quoted" \\ one']}, {"name": "b", "signatures": []}]},
        {
            "carrier": [{"name": "c", "price": 0.035, "bind": [{"port": 1}, {"port": 2}]}],
            "category": {"otp": {"n": 1.0}},
        },
        {"odd key.": {"tab\tnew\nline": "\x00\x1f\x7f 😀"}, "large": 1e22, "small": -0.5},
    ],
)
def test_what_is_written_as_toml_reads_back_the_same(tables: dict[str, Any]):
    assert tomllib.loads(to_toml(tables)) == tables


def test_the_demos_config_reads_back_the_same():
    assert tomllib.loads(to_toml(read_tables(DEMO))) == tomllib.loads(DEMO.read_text(encoding="utf-8"))


def test_a_run_gets_its_own_addresses_and_store_and_all_else_as_configured(tmp_path: Path):
    tables = read_tables(DEMO)
    placed = place(tables, gateway="127.0.0.1:18080", simulator=("127.0.0.1", 12775), store=tmp_path / "store")
    assert placed["http"]["listen"] == "127.0.0.1:18080"
    assert placed["store"]["path"] == str(tmp_path / "store")
    assert {(bind["host"], bind["port"]) for each in placed["carrier"] for bind in each["bind"]} == {
        ("127.0.0.1", 12775)
    }
    unchanged = place(placed, gateway="127.0.0.1:8080", simulator=("127.0.0.1", 2775), store=Path("var/demo"))
    assert unchanged == tables


def test_every_bind_of_the_demo_is_on_loopback():
    hosts = {bind["host"] for carrier in read_tables(DEMO)["carrier"] for bind in carrier["bind"]}
    assert hosts == {"127.0.0.1"}


def test_the_run_sends_in_the_name_of_the_first_account_with_a_key():
    tables = {"account": [{"name": "hashed", "key_sha256": "…"}, {"name": "demo", "key": "demo-key"}]}
    assert account_of(tables, DEMO) == ("demo", "demo-key")
    with pytest.raises(CannotRun, match="key: must be set"):
        account_of({"account": [{"name": "hashed"}]}, DEMO)


def test_a_config_that_cannot_be_read_is_named(tmp_path: Path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[http", encoding="utf-8")
    for path in (broken, tmp_path / "missing.toml"):
        with pytest.raises(CannotRun, match=path.name):
            read_tables(path)
