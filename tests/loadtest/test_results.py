from pathlib import Path

import msgspec
import pytest

from loadtest.accounting import Account, Wire
from loadtest.errors import CannotRun
from loadtest.processes import Usage
from loadtest.recording import Recorder
from loadtest.requirements import parse_requirements
from loadtest.results import (
    FIGURES,
    PROCESSES,
    STAGES,
    ZERO,
    RunReport,
    Sample,
    figures_of,
    judge,
    read_report,
    summary_lines,
    write_report,
)

NOTHING = dict.fromkeys(Account.__struct_fields__, 0)
CLEAN = Wire(**dict.fromkeys(Wire.__struct_fields__, 0) | {"parts": 105})
USED = Usage(cpu_seconds=0.02, resident_bytes=2**20, peak_resident_bytes=50 * 2**20)


def account(**counts: int) -> Account:
    return Account(**NOTHING | {"planned": 100, "accepted": 100, "delivered": 100} | counts)


def figures(of: Account, wire: Wire | None = CLEAN) -> dict[str, float]:
    recorder = Recorder()
    recorder.record(0.05)
    stages = {stage: recorder.latencies() for stage in STAGES}
    usage = dict.fromkeys(PROCESSES, USED)
    return figures_of(of, wire, stages, usage, sending_seconds=2.0, total_seconds=4.0)


def report(of: Account | None = None, required: str = "", **changes: object) -> RunReport:
    found = figures(of or account())
    recorder = Recorder()
    recorder.record(0.05)
    accept = {"accept": recorder.latencies()}
    sample = Sample(
        at=1.0, planned=50, accepted=50, not_accepted=0, ended=10, open_requests=1, accept_p50=0.05, accept_p99=0.05,
        final_p50=0.1, final_p99=0.2, processes={},
    )  # fmt: skip
    made = RunReport(
        mode="http", command="python -m loadtest http", started_at="2026-03-01T00:00:00+00:00", interrupted=False,
        machine="a machine", versions="Python", cores={"load": [0, 1]}, seed=1,
        plan={"arrivals": "constant:50"}, config={},
        sending_seconds=2.0, total_seconds=4.0, account=of or account(), wire=CLEAN, stages=accept,
        errors={}, usage=dict.fromkeys(PROCESSES, USED), samples=[sample], figures=found,
        judgements=judge(parse_requirements(required, FIGURES), found),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_every_figure_that_can_be_required_is_measured():
    assert set(figures(account())) == set(FIGURES)


def test_rates_are_of_what_was_planned_while_sending_and_of_what_ended_until_the_last():
    found = figures(account(delivered=90, ended_otherwise=10))
    assert (found["planned_rate"], found["rate"]) == (50, 25)
    assert found["gateway_microseconds"] == pytest.approx(200)


@pytest.mark.parametrize("name", [name for name in ZERO if name in NOTHING])
def test_what_must_be_0_and_is_not_is_not_kept_though_nobody_required_it(name: str):
    broken = [each.text for each in judge([], figures(account(**{name: 1}))) if not each.kept]
    assert broken == [f"{name}=0"]


@pytest.mark.parametrize("name", [name for name in ZERO if name in Wire.__struct_fields__])
def test_what_the_wire_shows_is_required_as_well(name: str):
    wire = msgspec.structs.replace(CLEAN, **{name: 1})
    assert [each.text for each in judge([], figures(account(), wire)) if not each.kept] == [f"{name}=0"]


def test_what_is_required_by_name_is_not_required_to_be_0():
    requirements = parse_requirements("turned_away<50", FIGURES)
    assert all(each.kept for each in judge(requirements, figures(account(turned_away=20))))
    assert not all(each.kept for each in judge(requirements, figures(account(turned_away=50))))


def test_what_was_not_measured_is_not_kept():
    [judgement, *_] = judge(parse_requirements("missing_parts=0", FIGURES), figures(account(), None))
    assert not judgement.kept
    assert judgement.value is None


def test_what_an_interrupted_run_left_open_is_no_fault():
    found = figures(account(unfinished=3, failed=2, lost=1))
    assert all(each.kept for each in judge([], found, interrupted=True))


def test_a_report_comes_back_from_its_file_as_it_was_written(tmp_path: Path):
    written = report(required="rate>1,missing_parts=0")
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
    write_report(report(version=99), tmp_path)
    with pytest.raises(CannotRun, match="of version 99: must be of version 1"):
        read_report(tmp_path)


def test_the_exit_code_says_whether_all_was_kept():
    assert report().exit_code == 0
    assert report(account(lost=1)).exit_code == 1
    assert report(required="rate>1000").exit_code == 1


def test_the_summary_names_what_is_wrong_and_only_that():
    assert "audit      every accepted message was told" in "\n".join(summary_lines(report()))
    assert "audit      2 strangers" in summary_lines(report(account(strangers=2)))
