"""The rules that the config asks for, and holidays that change while the gateway runs."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.config import load
from gateway.config_errors import ConfigError
from gateway.message import Category, Message, MessageId
from gateway.rules import Rules
from gateway.rulings import Wait
from tests.config_documents import a_document, write

THURSDAY = round(datetime(2027, 9, 30, 11, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1_000)


def a_message() -> Message:
    return Message(
        id=MessageId(1),
        account="demo",
        to="+8613800138000",
        text="x",
        category=Category.MARKETING,
        accepted_at=THURSDAY,
        expires_at=THURSDAY + 864_000_000,
    )


def test_holidays_are_taken_in_while_it_runs_and_broken_ones_are_not(tmp_path: Path) -> None:
    holidays = tmp_path / "holidays.csv"
    holidays.write_text("date,kind,note\n")
    document = a_document()
    document["category"] = {"marketing": {"hours": ["mon-fri 10:00-12:00"]}}
    document["hours"] = {"holidays": str(holidays), "spread_seconds": 0}
    rules = Rules(load(write(tmp_path, document)))
    gate = rules.gate()
    assert gate.hand_over(a_message(), "cmcc-a", now=THURSDAY) is None

    holidays.write_text("date,kind,note\n2027-09-30,off,made up\n")
    rules.reload_holidays()
    tomorrow = Wait(THURSDAY + 23 * 3_600_000, "outside_hours")
    assert gate.hand_over(a_message(), "cmcc-a", now=THURSDAY) == tomorrow

    holidays.write_text("date,kind,note\n2027-09-30,perhaps,made up\n")
    with pytest.raises(ConfigError):
        rules.reload_holidays()
    assert gate.hand_over(a_message(), "cmcc-a", now=THURSDAY) == tomorrow


def test_replies_are_read_as_the_account_wants(tmp_path: Path) -> None:
    document = a_document()
    document["account"][0] |= {"opt_out_words": ["td"], "opt_out_answer": "您已退订。"}
    document["account"].append({"name": "other", "key": "another-key"})

    rules = Rules(load(write(tmp_path, document))).reply_rules()

    assert rules["demo"].opt_out_words == {"td"}
    assert rules["demo"].opt_out_answer == "您已退订。"
    assert "0000" in rules["other"].opt_out_words
    assert rules["other"].opt_out_answer == ""
