import argparse

import pytest
from rich.console import Console

from loadtest import search
from loadtest.errors import CannotRun
from loadtest.options import HttpSettings
from loadtest.results import RunReport, read_report
from tests.loadtest.reports import make_account, make_report


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    search.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--low", "0"], "--low 0"),
        (["--low", "9", "--high", "8"], "--low 9 --high 8"),
        (["--precision", "0"], "--precision 0: must be 0.01 to 1"),
        (["--seconds", "4"], "--seconds 4: must be at least 5"),
        (["--accept-bound", "0"], "--accept-bound 0"),
        (["--url", "http://127.0.0.1:1", "--key", "k"], "--url"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_runs(arguments: list[str], complaint: str):
    with pytest.raises(CannotRun, match=complaint):
        await search.run(options(*arguments))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A gateway that loses messages above 3,000 a second. Returns the rates that it was driven with."""
    driven: list[float] = []

    async def measure(settings: HttpSettings, _: Console) -> RunReport:
        driven.append(rate := settings.shape.arrivals / settings.shape.seconds)
        assert not settings.requirements, "what is required is of the best, and not of each"
        return make_report(make_account(lost=int(rate > 3_000)), plan={"rate": rate})

    monkeypatch.setattr(search, "measure", measure)
    return driven


async def test_the_report_of_the_highest_rate_that_was_kept_up_is_what_remains(gateway: list[float], tmp_path, capsys):
    assert await search.run(options("--report", str(tmp_path), "--require", "rate>1")) == 0
    best = read_report(tmp_path)
    assert 3_000 / 1.05 <= best.plan["rate"] <= 3_000
    assert best.plan["rate"] == max(rate for rate in gateway if rate <= 3_000)
    assert best.judgements[0].text == "rate>1"
    assert "not kept: lost=0" in capsys.readouterr().out


async def test_what_is_required_of_the_best_decides_the_exit_code(gateway: list[float], tmp_path):
    assert await search.run(options("--report", str(tmp_path), "--require", "rate>1000000")) == 1


async def test_where_no_rate_is_kept_up_there_is_no_report(gateway: list[float], tmp_path):
    assert await search.run(options("--report", str(tmp_path / "x"), "--low", "4000")) == 1
    assert not (tmp_path / "x").exists()
    assert len(gateway) == 1
