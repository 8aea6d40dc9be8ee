"""The whole of it: processes, a plan, callbacks, the journal and the report."""

import asyncio
import signal
import sys
from pathlib import Path

from loadtest.results import RunReport, read_report

MIX = "code=1,notice=1,long=1,invitation=1"


async def load(*arguments: str, interrupt_at: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = ""
    assert process.stdout is not None
    async for line in process.stdout:
        output += line.decode()
        if interrupt_at and interrupt_at in output:
            process.send_signal(signal.SIGINT)
            interrupt_at = ""
    return await process.wait(), output


def shares_of(report: RunReport) -> set[str]:
    return {stage for stage, latencies in report.stages.items() if latencies.count}


async def test_a_run_accounts_for_every_message_of_every_kind_and_account(tmp_path: Path):
    arguments = ("--plan", "ramp:50,150", "--seconds", "2", "--batch", "10", "--accounts", "2", "--mix", MIX)
    code, output = await load("http", *arguments, "--require", "rate>1", "--report", str(tmp_path))
    assert code == 0, output
    report = read_report(tmp_path)
    account = report.account
    assert 190 <= account.planned == account.accepted == account.delivered <= 210
    assert report.wire is not None
    assert report.wire.parts > account.planned
    assert shares_of(report) == set(report.stages)
    assert report.stages["submit"].count == account.planned
    assert report.stages["submit"].p50 <= report.stages["final"].p50
    assert report.config["account"][0]["key"] == "(hidden)"
    assert set(report.usage) == set(report.cores) == {"load", "gateway", "simulator"}
    assert {"rate>1": True}.items() <= {each.text: each.kept for each in report.judgements}.items()


async def test_what_is_not_kept_is_exit_code_1_and_said(tmp_path: Path):
    arguments = ("--plan", "constant:20", "--seconds", "1", "--batch", "1", "--require", "final_p50<1ms")
    code, output = await load("http", *arguments, "--report", str(tmp_path))
    assert code == 1, output
    assert "not kept   final_p50<1ms: it is 0." in output


async def test_an_interrupted_run_still_writes_its_report(tmp_path: Path):
    arguments = ("--plan", "poisson:50", "--seconds", "600", "--batch", "5", "--report", str(tmp_path))
    code, output = await load("http", *arguments, interrupt_at=" s  planned ")
    assert code == 130, output
    report = read_report(tmp_path)
    assert report.interrupted
    assert 0 < report.account.planned < 3_000
    assert report.sending_seconds < 60


async def test_a_gateway_that_is_not_there_is_exit_code_2(tmp_path: Path):
    arguments = ("--url", "http://127.0.0.1:1", "--key", "k", "--seconds", "1", "--plan", "constant:10")
    code, output = await load("http", *arguments, "--report", str(tmp_path))
    assert (code, "cannot be asked" in output) == (2, True), output
