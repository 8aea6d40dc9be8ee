"""Rules for the whole suite: where skips are forbidden, a skip fails the run; a busy machine does not."""

import os

import hypothesis
import pytest

# The time of one example by the clock says how busy the machine is. What must be quick has a benchmark.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail when a test is skipped (always so where CI is set)")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    forbidden = session.config.getoption("--no-skips") or os.environ.get("CI")
    if forbidden and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        reporter.write_line("a test was skipped where none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
