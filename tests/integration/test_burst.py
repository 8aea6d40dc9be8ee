"""A small load as a user starts it: a process of its own, with a real gateway and a real simulator."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "loadtest", "burst", "--messages", "500")


async def run(temporary: Path, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()


async def test_every_message_is_accounted_for_and_the_report_says_on_what_it_was_measured(tmp_path: Path):
    code, output = await run(tmp_path, "--rate-at-least", "1", "--two-parts", "0.3", "--seed", "7")
    assert code == 0, output
    assert "audit      every message is final and delivered, every part was submitted exactly once" in output
    for word in ("rate", "accept", "gateway", "simulator", "seed 7", "cores", "Python", "commit", "kept       rate>=1"):
        assert word in output, word
    assert os.listdir(tmp_path) == []


async def test_what_is_not_kept_is_named_with_its_figure_and_the_exit_code_is_1(tmp_path: Path):
    code, output = await run(tmp_path, "--rate-at-least", "1", "--require", "accept_p99<0.001ms")
    assert code == 1, output
    assert "not kept   accept_p99<0.001ms: accept_p99 is 0." in output


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("--batch", "10001"), "--batch 10001: must be 1 to 10000"),
        (("--require", "speed>1"), "speed is none of the figures"),
        (("--codes", "0.9", "--two-parts", "0.2"), "must add up to at most 1"),
        (("--codes", "-1"), "--codes -1.0"),
    ],
)
async def test_a_wrong_argument_is_named_with_its_rule_and_the_exit_code_is_2(
    tmp_path: Path, arguments: tuple[str, ...], rule: str
):
    code, output = await run(tmp_path, *arguments)
    assert code == 2, output
    assert rule in output
