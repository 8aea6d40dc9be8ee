"""The rules that the config asks for, and holidays that change while the gateway runs."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.account import Account
from gateway.cap_snapshots import CapSnapshots
from gateway.config import load
from gateway.config_errors import ConfigError
from gateway.message import Category, Message, MessageId
from gateway.policy.candidate import candidate_of
from gateway.policy.pipeline import Pipeline
from gateway.policy.verdict import Reason
from gateway.rules import Rules
from gateway.rulings import Charged, Stop, Wait
from gateway.store.memory import MemoryStore
from tests.config_documents import a_document, write

THURSDAY = round(datetime(2027, 9, 30, 11, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1_000)


def a_message(number: int = 1) -> Message:
    return Message(
        id=MessageId(number),
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


async def test_what_waited_is_held_to_the_counters_that_acceptance_charges(tmp_path: Path) -> None:
    document = a_document()
    document["cap"] = [{"name": "one", "key": ["number"], "limit": 1}]
    store = MemoryStore()
    recovered = await store.open()
    rules = Rules(load(write(tmp_path, document)))
    caps = await rules.load_caps(CapSnapshots(store, last_id=recovered.last_id), last_time=THURSDAY)
    intake, gate = Pipeline([], [], [caps]), rules.gate([caps])
    first, second, third = (a_message(number) for number in (1, 2, 3))
    accepted = candidate_of(first, Account(name="demo"))
    assert intake.decide(accepted, now=THURSDAY / 1_000) is None
    intake.commit(accepted, now=THURSDAY / 1_000)

    assert gate.release(second, charged=False, now=THURSDAY) == Stop("frequency_cap")
    gate.give_back(first, charged_at=THURSDAY, now=THURSDAY)
    released = gate.release(second, charged=False, now=THURSDAY)
    assert isinstance(released, Charged)
    assert released.time.wall == THURSDAY // 1_000
    assert gate.release(second, charged=True, now=THURSDAY) is None, "charged once"

    refusal = intake.decide(candidate_of(third, Account(name="demo")), now=THURSDAY / 1_000)
    assert refusal is not None
    assert refusal.reason is Reason.FREQUENCY_CAP
    await store.close()
