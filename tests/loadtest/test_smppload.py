import argparse
from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.results import read_report
from loadtest.smppload import SmppSettings, add_arguments, settings_of
from tests.loadtest.test_httpload import MIX, load


def settings(*arguments: str) -> SmppSettings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_of(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--binds", "0"], "--binds 0: must be 1 to 100"),
        (["--window", "10001"], "--window 10001: must be 1 to 10000"),
        (["--smsc", "somewhere"], "must be HOST:PORT"),
        (["--smsc", "10.0.0.1:2775"], "must be on loopback, or allowed"),
        (["--smsc", "smsc.example.com:2775", "--allow", "smsc.example.com"], "needs --numbers FILE"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(arguments: list[str], complaint: str):
    with pytest.raises(CannotRun) as error:
        settings(*arguments)
    assert complaint in str(error.value)


async def test_a_run_against_a_simulator_accounts_for_every_part(tmp_path: Path):
    arguments = ("--plan", "steps:50,150", "--seconds", "2", "--binds", "2", "--window", "10", "--mix", MIX)
    code, output = await load("smpp", *arguments, "--password", "secret", "--report", str(tmp_path))
    assert code == 0, output
    report = read_report(tmp_path)
    assert report.account.planned == report.account.delivered == 200
    assert report.wire is not None
    assert report.wire.parts > 200
    assert "--password '(hidden)'" in report.command
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") >= 2
