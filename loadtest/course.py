"""The course of one load, whatever it speaks: sent, watched, waited for, held against the journal, reported."""

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console

from loadtest.accounting import Accounting, WireAudit
from loadtest.configuration import Tables
from loadtest.control import Control
from loadtest.livescreen import LoadScreen
from loadtest.machine import describe_machine, describe_versions
from loadtest.options import LoadSettings
from loadtest.page import write_page
from loadtest.results import Judgement, RunReport, figures_of, judge, summary_lines, write_report
from loadtest.sampling import Load, Sampler, cores_of
from loadtest.screen import say
from loadtest.targets import without_secrets

INTERRUPTED: Final = 130  # the exit code
LOOK_SECONDS: Final = 0.05


class Course:
    """One load and what is known of it. `pids` are the processes that take part, by name."""

    def __init__(
        self, mode: str, settings: LoadSettings, load: Load, accounting: Accounting, pids: Mapping[str, int]
    ) -> None:
        self._mode = mode
        self._settings = settings
        self._load = load
        self._accounting = accounting
        self._pids = pids
        self._sampler = Sampler(load, accounting, pids)
        self._began_at = datetime.now(UTC)
        # What the load's clock is behind the wall clock, which the journal has its times of.
        self._behind_seconds = self._began_at.timestamp() - load.clock()
        self._interrupted = False
        self._audit: WireAudit | None = None
        self._usage = self._sampler.usage()
        self._cores = cores_of(pids)

    async def run(
        self, arrivals: Sequence[float], console: Console, followers: Sequence[Coroutine[Any, Any, None]] = ()
    ) -> None:
        """Send everything, and wait until every accepted message is final, or has had its time."""
        title = f"{self._mode} {self._settings.shape.text}"
        with LoadScreen(console, title, self._load.errors) as screen:
            async with asyncio.TaskGroup() as group:
                watching = self._sampler.run(screen.show, seconds=self._settings.shape.seconds)
                tasks = [group.create_task(each) for each in (watching, *followers)]
                await self._load.send(arrivals)
                await self._settled()
                for task in tasks:
                    task.cancel()

    async def during(self, work: Awaitable[None]) -> None:
        """Carry `work` out; when it is cancelled from outside, that ends it and nothing else. Then look a last time."""
        try:
            await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None, "this runs in one"
            task.uncancel()
            self._interrupted = True
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        self._sampler.take()
        self._usage = self._sampler.usage()
        self._cores = cores_of(self._pids)

    async def read_journal(self, control: Control) -> None:
        """Take every submit that the simulator processed, and how long its message had been due by then."""
        self._audit = WireAudit(self._accounting)
        async for submit in control.submitted():
            if submit.taken_as:
                place = self._audit.take_submit(submit)
                if place is not None and submit.at:
                    at = datetime.fromisoformat(submit.at).timestamp() - self._behind_seconds
                    self._load.stages.submit.record(at - self._accounting.due[place])

    def report(self, config: Tables) -> RunReport:
        """Return the report; `config` is the gateway's, which is shown without its secrets."""
        load, settings = self._load, self._settings
        account = self._accounting.account(self._audit)
        wire = None if self._audit is None else self._audit.findings()
        stages = load.stages.latencies()
        sending_seconds = self._sampler.samples[-1].at if self._interrupted else settings.shape.seconds
        total_seconds = max(0.0, load.last_final_at - load.started_at)
        figures = figures_of(
            account, wire, stages, self._usage, sending_seconds=sending_seconds, total_seconds=total_seconds
        )
        return RunReport(
            mode=self._mode,
            command=settings.command,
            started_at=self._began_at.isoformat(timespec="seconds"),
            interrupted=self._interrupted,
            machine=describe_machine(),
            versions=describe_versions(),
            cores=self._cores,
            seed=settings.seed,
            plan=settings.plan,
            config=without_secrets(config),
            sending_seconds=sending_seconds,
            total_seconds=total_seconds,
            account=account,
            wire=wire,
            stages=stages,
            errors=load.errors,
            usage=self._usage,
            samples=self._sampler.samples,
            figures=figures,
            judgements=judge(settings.requirements, figures, interrupted=self._interrupted),
        )

    async def _settled(self) -> None:
        """Wait until every accepted message is final, while there is time."""
        accounting, clock = self._accounting, self._load.clock
        deadline = clock() + self._settings.settle_seconds
        while True:
            # Counting all is dear, and done once the totals say that it may be over.
            done = accounting.ended >= accounting.accepted and not accounting.account().unfinished
            if done or clock() >= deadline:
                return
            await asyncio.sleep(LOOK_SECONDS)


def finish(report: RunReport, settings: LoadSettings, console: Console) -> int:
    """Write the report, say in short what it says, and return the exit code. Raises CannotRun."""
    path = write_report(report, settings.report)
    page = write_page(report, settings.report)
    for line in summary_lines(report):
        say(console, line)
    broken = [each for each in report.judgements if not each.kept]
    for each in broken:
        say(console, f"not kept   {each.text}: {_value(each)}", "bold red")
    if not broken:
        asked = ", ".join(each.text for each in report.judgements if not each.text.endswith("=0"))
        say(console, f"kept       {asked or 'all that must be'}", "bold green")
    if report.interrupted:
        say(console, "interrupted before its end", "bold yellow")
    say(console, f"report     {path} {page}")
    return INTERRUPTED if report.interrupted else report.exit_code


def _value(judgement: Judgement) -> str:
    return "it was not measured" if judgement.value is None else f"it is {judgement.value:,.6g}"
