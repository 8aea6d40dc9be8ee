import argparse
from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.options import HttpSettings, add_arguments, settings_of
from loadtest.targets import without_secrets


def settings(*arguments: str) -> HttpSettings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_of(parser.parse_args(arguments))


def test_without_arguments_it_is_a_run_of_its_own_in_a_new_directory():
    made = settings()
    assert (made.url, made.shape.text, made.accounts) == ("", "constant:1000", 1)
    assert made.report.parent == Path("var/load")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--batch", "0"], "--batch 0: must be 1 to 10000"),
        (["--accounts", "101"], "--accounts 101: must be 1 to 100"),
        (["--plan", "constant:1000000", "--seconds", "11"], "must be at most 10,000,000"),
        (["--settle-seconds", "-1"], "--settle-seconds -1: must be 0 to 86400"),
        (["--mix", "poem=1"], "--mix 'poem=1': 'poem' is none of"),
        (["--networks", "moon=1"], "--networks 'moon=1': 'moon' is none of"),
        (["--require", "luck>1"], "luck is none of the figures"),
        (["--gateway-cores", "4000"], "may not use core 4000"),
        (["--gateway-cores", "x"], "must be like 0 or 0,1"),
        (["--url", "http://127.0.0.1:1"], "needs the --key"),
        (["--url", "http://10.0.0.1:1", "--key", "k"], "must be on loopback, or allowed"),
        (["--url", "http://10.0.0.1:1", "--key", "k", "--allow", "10.0.0.1"], "needs --numbers FILE"),
        (["--simulator", "http://10.0.0.1:1"], "must be on loopback"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(arguments: list[str], complaint: str):
    with pytest.raises(CannotRun) as error:
        settings(*arguments)
    assert complaint in str(error.value)


def test_each_key_is_an_account():
    assert settings("--url", "http://127.0.0.1:1", "--key", "a", "--key", "b").accounts == 2


def test_a_report_shows_no_key_and_no_password():
    tables = {"account": [{"name": "a", "key": "k", "callback": {"secret": "s", "url": "u"}}], "x": [{"password": "p"}]}
    shown = without_secrets(tables)
    assert shown["account"] == [{"name": "a", "key": "(hidden)", "callback": {"secret": "(hidden)", "url": "u"}}]
    assert shown["x"] == [{"password": "(hidden)"}]
