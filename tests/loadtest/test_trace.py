from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.replay import shape_of
from loadtest.supply import DEFAULT_MIX, Kind, Supply
from loadtest.trace import Trace, read_trace


def trace(tmp_path: Path, *lines: str, speed: float = 1.0) -> Trace:
    file = tmp_path / "trace"
    file.write_text("\n".join(lines), encoding="utf-8")
    return read_trace(file, speed=speed)


def test_times_count_from_the_first_and_come_in_order(tmp_path: Path):
    found = trace(tmp_path, '{"at": 1003}', "", '{"at": 1000.5, "kind": "code"}', '{"at": 1001, "kind": "long"}')
    assert list(found.moments) == [0.0, 0.5, 2.5]
    assert found.kinds == [Kind.CODE, Kind.LONG, None]


def test_twice_as_fast_takes_half_as_long(tmp_path: Path):
    assert list(trace(tmp_path, '{"at": 0}', '{"at": 10}', speed=2.0).moments) == [0.0, 5.0]


def test_a_batch_goes_with_its_last_message_and_the_last_one_may_be_short(tmp_path: Path):
    found = trace(tmp_path, *(f'{{"at": {n}}}' for n in range(5)))
    assert list(found.together(2)) == [1.0, 3.0, 4.0]
    assert list(found.together(1)) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_supply_makes_the_kinds_of_the_trace_and_ends_with_it():
    kinds = [Kind.LONG, Kind.INVITATION, None, Kind.LONG, Kind.CODE]
    supply = Supply({"notice": 1}, iter(range(13800138000, 13800138100)), seed=1, tag="t-", traced=kinds)
    requests = [supply.make_request(2) for _ in range(3)]
    made = [Kind(kind) for request in requests for kind in request.kinds]
    assert made == [Kind.LONG, Kind.INVITATION, Kind.NOTICE, Kind.LONG, Kind.CODE]
    assert [request.size for request in requests] == [2, 2, 1]


def test_without_a_trace_nothing_changes_for_a_seed():
    one, other = (Supply(DEFAULT_MIX, iter(range(13800138000, 13800139000)), seed=3, tag="t-") for _ in range(2))
    assert one.make_request(50) == other.make_request(50)


def test_the_shape_of_a_trace_makes_as_many_as_it_has(tmp_path: Path):
    found = trace(tmp_path, *(f'{{"at": {n}}}' for n in range(41)))
    assert shape_of(found, "x").seconds == 40
    assert shape_of(found, "x").arrivals == pytest.approx(41)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"kind": "code"}', "line 2: .*at"),
        ('{"at": 1, "kind": "poem"}', "line 2"),
        ('{"at": 1, "to": "13800138000"}', "line 2: .*unknown field"),
        ("at=1", "line 2"),
        ('{"at": 86401}', "lasts 86,401 s"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path: Path, line: str, complaint: str):
    with pytest.raises(CannotRun, match=complaint):
        trace(tmp_path, '{"at": 0}', line)


def test_an_empty_or_missing_file_and_a_speed_that_cannot_be_are_refused(tmp_path: Path):
    with pytest.raises(CannotRun, match="must have 1 to"):
        trace(tmp_path)
    with pytest.raises(CannotRun, match="nowhere: cannot be read"):
        read_trace(tmp_path / "nowhere", speed=1)
    with pytest.raises(CannotRun, match="--speed 0"):
        trace(tmp_path, '{"at": 0}', speed=0)
