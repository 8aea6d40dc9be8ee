import json
import os
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadtest.clocks import SOURCE, ZONE, build, check_shift, offset_seconds, shifted_environment
from loadtest.errors import CannotRun

HOUR = 3600.0

# Every way in which CPython, SQLite and the C library ask for the time.
ASK = textwrap.dedent("""
    import ctypes, datetime, json, sqlite3, time
    print(json.dumps({
        "time": time.time(),
        "nanoseconds": time.time_ns() / 1e9,
        "datetime": datetime.datetime.now(datetime.UTC).timestamp(),
        "coarse": time.clock_gettime(5),
        "c": ctypes.CDLL(None).time(None),
        "sqlite": sqlite3.connect(":memory:").execute("SELECT (julianday('now') - 2440587.5) * 86400").fetchone()[0],
        "monotonic": time.monotonic(),
        "boot": time.clock_gettime(time.CLOCK_BOOTTIME),
    }))
""")
WALL = ("time", "nanoseconds", "datetime", "coarse", "c", "sqlite")
MONOTONIC = ("monotonic", "boot")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, tmp_path_factory.mktemp("shims"))


def ask(environment: dict[str, str]) -> dict[str, float]:
    result = subprocess.run(
        (sys.executable, "-c", ASK), env=os.environ | environment, capture_output=True, check=True, timeout=30
    )
    answer: dict[str, float] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("hours", [8.0, -12.5])
def test_the_wall_clock_moves_and_the_monotonic_ones_do_not(library: Path, hours: float):
    true = ask({})
    moved = ask({"LD_PRELOAD": str(library), "YIZHAN_CLOCK_OFFSET_SECONDS": str(hours * HOUR)})
    for clock in WALL:
        assert moved[clock] - true[clock] == pytest.approx(hours * HOUR, abs=10), clock
    for clock in MONOTONIC:
        assert moved[clock] - true[clock] == pytest.approx(0, abs=10), clock


def test_without_an_offset_nothing_moves(library: Path):
    true, asked = ask({}), ask({"LD_PRELOAD": str(library)})
    assert {clock: asked[clock] - true[clock] for clock in asked} == pytest.approx(dict.fromkeys(true, 0), abs=10)


def test_the_wall_clock_can_be_stepped_while_the_process_runs(library: Path, tmp_path: Path):
    steps = textwrap.dedent("""
        import os, sys, time
        path = sys.argv[1]
        def step(offset):
            with open(path + ".new", "w") as file:
                file.write(offset)
            os.rename(path + ".new", path)
            before = time.monotonic()
            while time.monotonic() - before < 0.05:
                time.time()
            return time.time()
        print(step("0"), step("3600"), step("-3600.5"), step("no number"))
    """)
    environment = {"LD_PRELOAD": str(library), "YIZHAN_CLOCK_OFFSET_FILE": str(tmp_path / "offset")}
    command = (sys.executable, "-c", steps, str(tmp_path / "offset"))
    result = subprocess.run(command, env=os.environ | environment, capture_output=True, check=True, timeout=30)
    start, forward, back, kept = map(float, result.stdout.split())
    assert forward - start == pytest.approx(3600, abs=5)
    assert back - start == pytest.approx(-3600.5, abs=5)
    assert kept - back == pytest.approx(0, abs=5)


def test_an_hour_is_that_of_today_in_china():
    now = datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)  # 10:15:30 in China
    assert offset_seconds("23:30", now=now) == 13 * HOUR + 14 * 60 + 30
    assert offset_seconds("00:00", now=now) == -(10 * HOUR + 15 * 60 + 30)
    assert now.astimezone(ZONE).hour == 10


@pytest.mark.parametrize("hour", ["24:00", "7:30", "23:60", "now", "23:30:00", ""])
def test_what_is_no_hour_is_refused_with_the_rule(hour: str):
    with pytest.raises(CannotRun, match="must be an hour of the day"):
        offset_seconds(hour, now=datetime.now(UTC))


def test_a_clock_that_did_not_move_as_it_should_is_noticed():
    now = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
    check_shift(now + timedelta(hours=8, seconds=2), 8 * HOUR, now=now)
    with pytest.raises(CannotRun, match="should be off by 28800 s, and is off by 2"):
        check_shift(now + timedelta(seconds=2), 8 * HOUR, now=now)


def test_the_environment_of_a_shifted_process_names_library_and_offset_beside_what_is_loaded_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    library = tmp_path / "clock.so"
    for loaded, preload in (("", str(library)), ("/lib/other.so", f"{library}:/lib/other.so")):
        monkeypatch.setenv("LD_PRELOAD", loaded)
        environment = shifted_environment(-90.5, tmp_path)
        assert environment == {"LD_PRELOAD": preload, "YIZHAN_CLOCK_OFFSET_SECONDS": "-90.500"}
    assert library.exists()


def test_what_does_not_compile_is_named_with_the_compilers_words(tmp_path: Path):
    broken = tmp_path / "broken.c"
    broken.write_text("int clock_gettime(\n", encoding="utf-8")
    with pytest.raises(CannotRun, match=r"(?s)broken\.c does not compile:.*error"):
        build(broken, tmp_path)
    with pytest.raises(CannotRun, match=r"missing\.c is not here"):
        build(tmp_path / "missing.c", tmp_path)


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotRun, match="neither gcc nor cc"):
        build(SOURCE, tmp_path)
