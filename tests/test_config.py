import hashlib
import hmac
import re
from datetime import date
from pathlib import Path

import pytest

from gateway.account import Scope
from gateway.config import load, load_holidays, load_plan, load_ported, shipped
from gateway.config_errors import ConfigError
from gateway.config_tables import Config
from gateway.delivery.settings import DeliverySettings, OnDoubt, default_categories
from gateway.http.settings import HttpSettings
from gateway.message import Category
from gateway.numbers import Network
from tests.config_documents import LEAST, a_document, with_value, write


def test_a_file_with_only_the_necessary_tables_gets_the_defaults_for_all_else(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(LEAST, encoding="utf-8")

    config = load(path)

    assert config.http == HttpSettings()
    assert config.delivery == DeliverySettings()
    assert config.categories == default_categories()
    assert config.account[0].account.scopes == {Scope.SEND, Scope.READ, Scope.OPERATE}
    assert config.account[0].key_hash == hashlib.sha256(b"demo-key").digest()
    assert [bind.name for bind in config.carrier[0].bind] == ["cmcc-a-1"]
    assert config.route[0].carriers == ("cmcc-a",)
    assert load_plan(config).lookup


def test_a_category_changes_what_the_file_says_of_it_and_nothing_else(tmp_path: Path) -> None:
    config = load(write(tmp_path, with_value("category/marketing/on_doubt", "resend")))

    expected = default_categories()
    assert config.categories[Category.MARKETING].on_doubt is OnDoubt.RESEND
    assert config.categories[Category.MARKETING].valid_for_seconds == expected[Category.MARKETING].valid_for_seconds
    assert config.categories[Category.OTP].valid_for_seconds == 120
    assert config.categories[Category.NOTIFICATION] == expected[Category.NOTIFICATION]


def test_every_category_has_its_table() -> None:
    assert set(Config().categories) == set(Category)


def test_a_whole_number_will_do_where_a_fraction_may_stand(tmp_path: Path) -> None:
    assert load(write(tmp_path, with_value("delivery/sweep_seconds", 5))).delivery.sweep_seconds == 5.0


def test_a_file_with_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(LEAST.replace("\n", "\r\n").encode())

    assert load(path).http == HttpSettings()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"

    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: cannot be read: No such file or directory$"):
        load(path)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[http\n", "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"[http]\n[http]\n", "is not TOML: Cannot declare ('http',) twice (at line 2, column 6)"),
        ("[http]\n# 驿站\n".encode("gbk"), "line 2: is not UTF-8; save the file in that encoding"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_not_toml_in_utf_8_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: {fault}"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "must name a file that can be read (No such file or directory)"),
        ("号段".encode("gbk"), "must name a file in UTF-8"),
        (b"prefix,network\n", "line 1: columns: must be prefix,network,kind,note"),
        (
            b"prefix,network,kind,note\n120,cmcc,mobile,\n",
            "line 2: prefix = 120: must be three or four digits from 13 to 19",
        ),
    ],
)
def test_a_number_plan_that_cannot_be_used_is_refused(content: bytes | None, fault: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    if content is not None:
        plan.write_bytes(content)
    config = load(write(tmp_path, with_value("numbers/plan", str(plan))))

    with pytest.raises(ConfigError) as caught:
        load_plan(config)
    assert str(caught.value).startswith('numbers.plan = "')
    assert str(caught.value).endswith(f": {fault}")


def test_the_number_plan_comes_with_the_gateway() -> None:
    assert shipped("number_plan.csv").is_file()


def test_the_holidays_that_come_with_the_gateway_can_be_read(tmp_path: Path) -> None:
    holidays = load_holidays(load(write(tmp_path, a_document())))

    assert date(2026, 10, 1) in holidays.off
    assert date(2026, 10, 10) in holidays.working


def test_a_file_of_holidays_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "holidays.csv"
    path.write_text("date,kind,note\n2026-10-01,free,\n")
    config = load(write(tmp_path, with_value("hours/holidays", str(path))))

    with pytest.raises(ConfigError, match=r'^hours.holidays = ".*: line 2: kind = .free.: must be off or working$'):
        load_holidays(config)


def test_hours_are_those_of_the_profile_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert load(write(tmp_path, a_document())).categories[Category.MARKETING].hours == ("08:00-20:00",)

    config = load(write(tmp_path, with_value("category/marketing/hours", [])))

    assert config.categories[Category.MARKETING].hours == ()


def test_a_wrong_table_of_ported_numbers_is_refused_by_its_place(tmp_path: Path) -> None:
    table = tmp_path / "ported.csv"
    table.write_text("number,network\n13800138000,cucc\n13800138000,cbn\n", encoding="utf-8")
    config = load(write(tmp_path, with_value("numbers/ported", str(table))))

    with pytest.raises(ConfigError, match=r'^numbers.ported = ".*: number = 138\*{4}8000: must not come twice$'):
        load_ported(config)


def test_a_table_of_ported_numbers_may_hold_keyed_hashes(tmp_path: Path) -> None:
    table = tmp_path / "ported.csv"
    hashed = hmac.digest(b"a key", b"+8613800138000", "sha256").hex()
    table.write_text(f"number,network\n{hashed},cucc\n", encoding="utf-8")
    document = with_value("numbers/ported", str(table))
    document["numbers"]["ported_key"] = "a key"
    assert load_ported(load(write(tmp_path, document))).get("+8613800138000") is Network.CUCC
