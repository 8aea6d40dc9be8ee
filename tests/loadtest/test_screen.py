import io
import sys

import pytest
from rich.console import Console

from loadtest.screen import (
    LINE_SECONDS,
    LineScreen,
    LiveScreen,
    Progress,
    draw,
    line_of,
    make_console,
    open_screen,
    say,
)


def progress(seconds: float = 1.25, **counts: int) -> Progress:
    finished = counts.get("delivered", 0) + counts.get("refused", 0)
    accepted = sum(counts.values()) - counts.get("refused", 0)
    return Progress(
        elapsed_seconds=seconds, sending_seconds=0.5, total=20, accepted=accepted, finished=finished, counts=counts
    )


def plain_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, no_color=True, width=100)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_has_the_statuses_in_their_order_and_rare_ones_only_when_they_occur():
    assert line_of(progress(delivered=15, submitted=1, refused=2)) == (
        "   1.2 s  accepted 16 of 20: refused 2, queued 0, sending 0, submitted 1, delivered 15, failed 0"
    )
    assert "in doubt 1" in line_of(progress(in_doubt=1))


def test_answers_are_counted_over_the_time_of_sending_and_ends_over_all_of_it():
    assert progress(seconds=2.0, delivered=10, queued=4).rates == "28 answered a second, 5 ended a second"


def test_the_picture_shows_every_status_with_its_count():
    console = plain_console()
    console.print(draw(progress(delivered=15, in_doubt=1, refused=4)))
    for shown in ("accepted", "16", "in doubt", "delivered", "15", "answered a second"):
        assert shown in written(console)


def test_outside_a_terminal_lines_come_at_most_once_a_second_and_the_last_state_always():
    console = plain_console()
    with LineScreen(console) as screen:
        for tenth in range(25):
            screen.show(progress(seconds=tenth / 10, queued=24 - tenth, delivered=tenth))
    lines = written(console).splitlines()
    assert len(lines) == 2 + 2 / LINE_SECONDS
    assert "delivered 24" in lines[-1]


def test_outside_a_terminal_a_state_that_stays_is_written_once():
    console = plain_console()
    with LineScreen(console) as screen:
        for second in range(10):
            screen.show(progress(seconds=second, delivered=20))
    assert len(written(console).splitlines()) == 1


def test_a_terminal_gets_the_picture_and_everything_else_the_lines():
    assert isinstance(open_screen(Console(force_terminal=True, file=io.StringIO())), LiveScreen)
    assert isinstance(open_screen(plain_console()), LineScreen)


def test_no_control_codes_go_to_a_pipe(monkeypatch: pytest.MonkeyPatch):
    octets = io.BytesIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="utf-8"))
    console = make_console()
    say(console, "驿站", "bold red")
    with open_screen(console) as screen:
        screen.show(progress(delivered=1))
    sys.stdout.flush()
    assert octets.getvalue().startswith("驿站\n".encode())
    assert b"\x1b" not in octets.getvalue()


def test_where_chinese_cannot_be_shown_the_run_goes_on(monkeypatch: pytest.MonkeyPatch):
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="ascii"))
    say(make_console(), "驿站 ok")
    sys.stdout.flush()
    assert octets.getvalue() == b"?? ok\n"


def test_a_long_line_is_not_broken_so_that_it_can_be_copied():
    console = plain_console()
    say(console, "curl " + "x" * 300)
    assert written(console) == "curl " + "x" * 300 + "\n"
