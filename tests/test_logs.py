"""What stands on standard error: one safe line an event, in both forms, of ours and of the libraries."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.log_values import VALUE_CHARACTERS
from gateway.logs import LogFormat, LogLevel, LogSettings, set_up

NUMBER = "+8613812345678"
FORMS = [LogFormat.JSON, LogFormat.CONSOLE]


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what `set_up` changes for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    [line] = lines_of(capsys)
    return line


def start(form: LogFormat, level: LogLevel = LogLevel.INFO) -> Any:
    set_up(LogSettings(format=form, level=level))
    return structlog.get_logger("test")


def test_json_has_event_level_time_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    start(LogFormat.JSON).warning("bind is down", bind="cmcc-a-1", retry_in_seconds=0.5, error="连接被拒绝")

    event = json.loads(only_line(capsys))

    assert datetime.fromisoformat(event.pop("timestamp")).tzinfo is not None
    assert event == {
        "event": "bind is down",
        "level": "warning",
        "bind": "cmcc-a-1",
        "retry_in_seconds": 0.5,
        "error": "连接被拒绝",
    }


def test_the_console_has_the_same_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    start(LogFormat.CONSOLE).warning("bind is down", bind="cmcc-a-1", error="连接 被拒绝")

    line = only_line(capsys)

    assert "[warning  ] bind is down" in line
    assert "bind=cmcc-a-1" in line
    assert "error='连接 被拒绝'" in line
    assert "\x1b" not in line  # no colours where no terminal is


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (LogLevel.DEBUG, ["debug", "info", "warning", "error"]),
        (LogLevel.INFO, ["info", "warning", "error"]),
        (LogLevel.WARNING, ["warning", "error"]),
        (LogLevel.ERROR, ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(
    level: LogLevel, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = start(LogFormat.JSON, level)
    library = logging.getLogger("some.library")
    for name in LogLevel:
        getattr(log, name)(name)
        getattr(library, name)(name)

    events = [json.loads(line)["event"] for line in lines_of(capsys)]

    assert events == [name for name in expected for _ in range(2)]


@pytest.mark.parametrize("form", FORMS)
def test_libraries_write_the_same_lines(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    start(form)

    logging.getLogger("asyncio").warning("took %s\nto %s", 0.5, NUMBER)

    line = only_line(capsys)
    assert "warning" in line
    assert "took 0.5" in line
    assert "to 138****5678" in line


@pytest.mark.parametrize("form", FORMS)
def test_an_error_is_one_line_that_says_where_and_quotes_no_number(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    log = start(form)
    library = logging.getLogger("asyncio")
    try:
        raise ValueError(f"{NUMBER}\nis no number")
    except ValueError:
        log.exception("failed")
        library.error("failed too", exc_info=True, stack_info=True)

    first, second = lines_of(capsys)

    for line in (first, second):
        assert "ValueError: 138****5678" in line
        assert f"{__file__}:" in line
        assert NUMBER[3:] not in line


@pytest.mark.parametrize("form", FORMS)
def test_an_error_that_nobody_caught_is_one_line_too(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(NUMBER)

    start(form)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    for line in lines_of(capsys):
        assert "critical" in line
        assert "ValueError: 138****5678" in line


def test_an_interrupt_is_left_to_python(capsys: pytest.CaptureFixture[str]) -> None:
    start(LogFormat.JSON)

    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert lines_of(capsys) == ["KeyboardInterrupt"]


@pytest.mark.parametrize("form", FORMS)
def test_a_long_value_is_cut(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    start(form).info("a peer talks", text="x" * 100_000, nested={"text": ["y" * 100_000]})

    line = only_line(capsys)

    assert len(line) < 3 * VALUE_CHARACTERS
    assert "… (100000 characters)" in line


@pytest.mark.parametrize("form", FORMS)
def test_fields_that_structlog_knows_are_lines_no_more_than_others(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    start(form).info("odd", exception="a\nb", stack="c\nd", stack_info="e\nf")

    assert "odd" in only_line(capsys)


@pytest.mark.parametrize("form", FORMS)
def test_the_id_of_a_message_is_written_whole(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    start(form).info("lost", message="188230376151711744")

    assert "188230376151711744" in only_line(capsys)


HOLDERS = [
    lambda number: number,
    lambda number: f"to {number}!",
    lambda number: number.encode(),
    lambda number: [number],
    lambda number: {"to": {"number": number}},
    lambda number: {number: 1},
    lambda number: ValueError(number),
    lambda number: int(number),
    lambda number: (None, {number}),
]


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    digits=st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    prefix=st.sampled_from(["", "+86", "86", "0086"]),
    name=st.sampled_from(["event", "to", "message", "error", "text"]),
    hold=st.sampled_from(HOLDERS),
    noise=st.text(max_size=20),
)
def test_no_line_has_a_number_whatever_value_it_is_given_in(
    form: LogFormat, capsys: pytest.CaptureFixture[str], digits: str, prefix: str, name: str, hold: Any, noise: str
) -> None:
    log = start(form)
    value = hold(prefix + digits)

    if name == "event":
        log.info(value, noise=noise)
    else:
        log.info("something", noise=noise, **{name: value})

    assert digits not in only_line(capsys)
