"""The engine's figures beside smpplib's, measured in one run: `make bench-smpp` prints the table of the README."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.machine import describe_machine, describe_versions

FILES: Final = ("tests/bench/test_smpp.py", "tests/bench/test_smpp_socket.py", "tests/bench/test_text.py")
CALIBRATION: Final = "test_add_up_a_hundred_numbers"
OUR_SOCKET: Final = "test_submits_through_a_socket[our_client-100000]"
THEIR_SOCKET: Final = "test_submits_through_a_socket[their_client-5000]"


class Row(msgspec.Struct, frozen=True):
    """One line: what is measured, its goal in µs, the benchmarks of ours and of smpplib's, and how many each does."""

    what: str
    goal_us: float
    ours: str
    theirs: str = ""
    per: int = 1


ROWS: Final = (
    Row("submit_sm, Chinese: encode", 2, "test_we_encode_a_submit", "test_smpplib_encodes_a_submit"),
    Row("submit_sm, Chinese: decode", 4, "test_we_decode_a_submit", "test_smpplib_decodes_a_submit"),
    Row(
        "deliver_sm, a receipt: decode, and read its text",
        4,
        "test_we_decode_a_receipt_and_its_text",
        "test_smpplib_decodes_a_receipt_without_reading_its_text",
    ),
    Row("text of 70 Chinese characters: cut and code", 3, "test_cut_and_code_70_chinese_characters"),
    Row("submit_sm and its answer through two sessions", 10, "test_a_submit_and_its_response_through_two_sessions[1]"),
    Row(
        "the same, 50 at a time",
        10,
        "test_a_submit_and_its_response_through_two_sessions[50]",
        per=50,
    ),
)


def main() -> int:
    """Measure, print the table, and return pytest's exit code."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "figures.json"
        # Rounds so long that neither the clock's reading nor its grain shows in what one of many calls takes.
        options = ("--benchmark-min-time=0.0005", f"--benchmark-json={path}")
        command = [sys.executable, "-m", "pytest", "-q", "-m", "bench", *FILES, *options]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            sys.stderr.write(run.stdout + run.stderr)
            return run.returncode
        benchmarks = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    sys.stdout.write("\n".join(lines({each["name"]: each for each in benchmarks})) + "\n")
    return 0


def lines(benchmarks: dict[str, Any]) -> list[str]:
    """The table in Markdown, the rates over a socket, and what it was measured on."""
    calibration = _microseconds(benchmarks, CALIBRATION)
    table = [
        "| µs, the median and the least | goal | ours | smpplib | smpplib / ours | ours / calibration |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        ours = _microseconds(benchmarks, row.ours, row.per)
        theirs = _microseconds(benchmarks, row.theirs) if row.theirs else None
        shown, ratio = ("none", "") if theirs is None else (_pair(theirs), f"{theirs[1] / ours[1]:.0f}")
        table.append(
            f"| {row.what} | {row.goal_us:g} | {_pair(ours)} | {shown} | {ratio} | {ours[1] / calibration[1]:.1f} |"
        )
    return [
        *table,
        "",
        _socket_line("our client", benchmarks[OUR_SOCKET]["extra_info"]),
        _socket_line("smpplib's client, our server", benchmarks[THEIR_SOCKET]["extra_info"]),
        "",
        f"Calibration, sum(range(100)): {_pair(calibration)} µs. On {describe_machine()}; {describe_versions()}.",
    ]


def _microseconds(benchmarks: dict[str, Any], name: str, per: int = 1) -> tuple[float, float]:
    """Median and least time of one, in µs."""
    stats = benchmarks[name]["stats"]
    return stats["median"] / per * 1e6, stats["min"] / per * 1e6


def _pair(times: tuple[float, float]) -> str:
    return f"{times[0]:.1f}, {times[1]:.1f}"


def _socket_line(who: str, info: dict[str, Any]) -> str:
    """Rates by the clock, and what CPU time says of a machine that has a core for each end."""
    rates = ", ".join(f"{rate:,}" for rate in info["submits_per_second"])
    client, server = info["client_us"], info["server_us"]
    return (
        f"Over a socket, two processes, window 100, {who}: {rates} submit_sm a second; CPU a submit: client "
        f"{client:.1f} µs, server {server:.1f} µs, so {1e6 / max(client, server):,.0f} a second where each has a core."
    )


if __name__ == "__main__":
    sys.exit(main())
