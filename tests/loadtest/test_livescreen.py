import io

from rich.console import Console

from loadtest.livescreen import LoadScreen, draw
from tests.loadtest.reports import make_report

FIRST, SECOND = make_report().samples


def shown(console_width: int = 100, *, before: bool = True) -> str:
    console = Console(file=io.StringIO(), width=console_width)
    console.print(draw("http constant:50", SECOND, FIRST if before else None, {"503": 4}))
    return console.file.getvalue()


def test_it_shows_counts_with_their_rates_latencies_processes_and_errors():
    text = " ".join(shown().split())
    assert "planned 100 50" in text
    assert "ended 20 10" in text
    assert "accepted, not final 80" in text
    assert "accept p50, p99 50.0 ms 50.0 ms" in text
    assert "gateway 50% CPU 1 MiB" in text
    assert "503 4" in text


def test_the_first_sample_has_no_rate_yet():
    assert "planned 100 0" in " ".join(shown(before=False).split())


def test_without_a_terminal_it_writes_a_line_a_sample():
    file = io.StringIO()
    with LoadScreen(Console(file=file, width=200), "http", {}) as screen:
        screen.show(FIRST)
        screen.show(SECOND)
    assert len(file.getvalue().splitlines()) == 2
    assert "planned 100, accepted 100, final 20" in file.getvalue()


def test_on_a_terminal_it_draws_in_place_and_leaves_the_last_state():
    file = io.StringIO()
    with LoadScreen(Console(file=file, width=100, force_terminal=True), "http", {}) as screen:
        screen.show(FIRST)
        screen.show(SECOND)
    assert "\x1b[" in file.getvalue()
    assert "2 s" in file.getvalue()
