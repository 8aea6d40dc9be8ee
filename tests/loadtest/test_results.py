from pathlib import Path

import msgspec
import pytest

from loadtest.accounting import Wire
from loadtest.errors import CannotRun
from loadtest.requirements import parse_requirements
from loadtest.results import FIGURES, ZERO, judge, read_report, summary_lines, write_report
from tests.loadtest.reports import CLEAN, NOTHING, make_account, make_figures, make_report


def test_every_figure_that_can_be_required_is_measured():
    assert set(make_figures(make_account())) == set(FIGURES)


def test_rates_are_of_what_was_planned_while_sending_and_of_what_ended_until_the_last():
    found = make_figures(make_account(delivered=90, ended_otherwise=10))
    assert (found["planned_rate"], found["rate"]) == (50, 25)
    assert found["gateway_microseconds"] == pytest.approx(200)


@pytest.mark.parametrize("name", [name for name in ZERO if name in NOTHING])
def test_what_must_be_0_and_is_not_is_not_kept_though_nobody_required_it(name: str):
    broken = [each.text for each in judge([], make_figures(make_account(**{name: 1}))) if not each.kept]
    assert broken == [f"{name}=0"]


@pytest.mark.parametrize("name", [name for name in ZERO if name in Wire.__struct_fields__])
def test_what_the_wire_shows_is_required_as_well(name: str):
    wire = msgspec.structs.replace(CLEAN, **{name: 1})
    assert [each.text for each in judge([], make_figures(make_account(), wire)) if not each.kept] == [f"{name}=0"]


def test_what_is_required_by_name_is_not_required_to_be_0():
    requirements = parse_requirements("turned_away<50", FIGURES)
    assert all(each.kept for each in judge(requirements, make_figures(make_account(turned_away=20))))
    assert not all(each.kept for each in judge(requirements, make_figures(make_account(turned_away=50))))


def test_what_was_not_measured_is_not_kept():
    [judgement, *_] = judge(parse_requirements("missing_parts=0", FIGURES), make_figures(make_account(), None))
    assert not judgement.kept
    assert judgement.value is None


def test_what_an_interrupted_run_left_open_is_no_fault():
    found = make_figures(make_account(unfinished=3, failed=2, lost=1))
    assert all(each.kept for each in judge([], found, interrupted=True))


def test_a_report_comes_back_from_its_file_as_it_was_written(tmp_path: Path):
    written = make_report(required="rate>1,missing_parts=0")
    path = write_report(written, tmp_path / "new" / "place")
    found = read_report(path)
    assert (found.account, found.wire, found.figures) == (written.account, written.wire, written.figures)
    assert list(found.judgements) == list(written.judgements)
    assert read_report(write_report(found, tmp_path).parent) == found


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": 1}'])
def test_a_file_that_is_no_report_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(CannotRun, match=r"report\.json: cannot be read as a report"):
        read_report(tmp_path)


def test_a_report_of_another_version_is_refused(tmp_path: Path):
    write_report(make_report(version=99), tmp_path)
    with pytest.raises(CannotRun, match="of version 99: must be of version 1"):
        read_report(tmp_path)


def test_the_exit_code_says_whether_all_was_kept():
    assert make_report().exit_code == 0
    assert make_report(make_account(lost=1)).exit_code == 1
    assert make_report(required="rate>1000").exit_code == 1


def test_the_summary_names_what_is_wrong_and_only_that():
    assert "audit      every accepted message was told" in "\n".join(summary_lines(make_report()))
    assert "audit      2 strangers" in summary_lines(make_report(make_account(strangers=2)))
