"""An open load over HTTP by a plan of arrivals, each message followed to its end and accounted for, with a report.

Without --url it starts a simulator and a gateway of its own. With it, it drives the gateway there, and follows by
GET /v1/events, for which the account needs [account.callback]; --simulator has the journal audited of what is behind.
"""

import argparse
import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from loadtest.accounting import Accounting, WireAudit
from loadtest.arrivals import make_arrivals
from loadtest.control import Control
from loadtest.guard import read_numbers
from loadtest.machine import describe_machine, describe_versions, file_system
from loadtest.openloop import OpenLoop
from loadtest.options import HttpSettings, add_arguments, settings_of
from loadtest.phones import make_phones
from loadtest.receiver import poll_events, receiving
from loadtest.results import Judgement, RunReport, Sample, figures_of, judge, summary_lines, write_report
from loadtest.sampling import Sampler, cores_of, pin
from loadtest.screen import make_console, say
from loadtest.supply import Supply
from loadtest.targets import Target, open_target, without_secrets

__all__ = ["add_arguments", "measure", "run", "show_report"]

INTERRUPTED: Final = 130
LOOK_SECONDS: Final = 0.05


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    settings = settings_of(options)
    console = make_console()
    report = await measure(settings, console)
    show_report(report, settings.report, console)
    return INTERRUPTED if report.interrupted else report.exit_code


async def measure(settings: HttpSettings, console: Console) -> RunReport:
    """Carry a load out, and return its report, also when it is interrupted. Raises CannotRun."""
    phones = (
        cycle(read_numbers(settings.numbers))
        if settings.numbers
        else make_phones(settings.networks, seed=settings.seed)
    )
    tag = f"load-{secrets.token_hex(4)}-"
    accounting = Accounting(tag)
    supply = Supply(settings.mix, phones, seed=settings.seed, tag=tag)
    arrivals = make_arrivals(settings.shape, seed=settings.seed, together=settings.batch)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    # Callbacks go to whoever takes events by then: the URL must be known before there is a gateway.
    async with AsyncExitStack() as stack:
        loads: list[OpenLoop] = []
        url = await stack.enter_async_context(receiving(lambda events: loads[0].take_events(events) if loads else None))
        target = await stack.enter_async_context(open_target(settings, url))
        load = OpenLoop(supply, accounting, [api.submit_once for api in target.apis], batch=settings.batch)
        loads.append(load)
        pids = {"load": os.getpid()}
        if target.rig is not None:
            pids |= {"gateway": target.rig.gateway.pid, "simulator": target.rig.simulator.pid}
            if settings.gateway_cores:
                pin(target.rig.gateway.pid, settings.gateway_cores)
        sampler = Sampler(load, accounting, pids)
        _introduce(console, settings, target, len(arrivals))
        wall = time.time() - load.clock()  # of the journal's times
        work = _work(load, accounting, sampler, arrivals, settings, target, console)
        interrupted = await _interruptible(work if target.rig is None else target.rig.during(work))
        sampler.take()
        usage = sampler.usage()
        audit = None if target.control is None else await _read_journal(target.control, load, accounting, wall)
        cores = cores_of(pids)
    account, wire = accounting.account(audit), None if audit is None else audit.findings()
    stages = load.stages.latencies()
    sending_seconds = sampler.samples[-1].at if interrupted else settings.shape.seconds
    total_seconds = max(0.0, load.last_final_at - load.started_at)
    figures = figures_of(account, wire, stages, usage, sending_seconds=sending_seconds, total_seconds=total_seconds)
    return RunReport(
        mode="http",
        command=settings.command,
        started_at=started_at,
        interrupted=interrupted,
        machine=describe_machine(),
        versions=describe_versions(),
        cores=cores,
        seed=settings.seed,
        plan=settings.plan,
        config=without_secrets(target.config),
        sending_seconds=sending_seconds,
        total_seconds=total_seconds,
        account=account,
        wire=wire,
        stages=stages,
        errors=load.errors,
        usage=usage,
        samples=sampler.samples,
        figures=figures,
        judgements=judge(settings.requirements, figures, interrupted=interrupted),
    )


def show_report(report: RunReport, directory: Path, console: Console) -> None:
    """Write the report, and what it says in short."""
    path = write_report(report, directory)
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
    say(console, f"report     {path}")


def _value(judgement: Judgement) -> str:
    return "it was not measured" if judgement.value is None else f"it is {judgement.value:,.6g}"


async def _work(
    load: OpenLoop,
    accounting: Accounting,
    sampler: Sampler,
    arrivals: Sequence[float],
    settings: HttpSettings,
    target: Target,
    console: Console,
) -> None:
    """Send everything, and wait until every accepted message is final, or has had its time."""

    def show(sample: Sample) -> None:
        say(
            console,
            f"{sample.at:6.1f} s  planned {sample.planned:,}, accepted {sample.accepted:,}, final {sample.ended:,};"
            f" accept p99 {sample.accept_p99 * 1000:.1f} ms, final p99 {sample.final_p99 * 1000:,.0f} ms",
        )

    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(sampler.run(show, seconds=settings.shape.seconds))]
        if not target.called_back:
            followers += [group.create_task(poll_events(api, load.take_events)) for api in target.apis]
        await load.send(arrivals)
        await _settled(load, accounting, settings.settle_seconds)
        for follower in followers:
            follower.cancel()


async def _settled(load: OpenLoop, accounting: Accounting, seconds: float) -> None:
    """Wait until every accepted message is final, for so many seconds at most."""
    deadline = load.clock() + seconds
    while True:
        # Counting all is dear, and done once the totals say that it may be over.
        done = accounting.ended >= accounting.accepted and not accounting.account().unfinished
        if done or load.clock() >= deadline:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _interruptible(work: Any) -> bool:
    """Carry `work` out. Returns whether it was cancelled from outside, which ends it and nothing else."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return True
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return False


async def _read_journal(control: Control, load: OpenLoop, accounting: Accounting, wall: float) -> WireAudit:
    """Take every submit that the simulator processed, and how long its message had been due by then.

    `wall` is what the load's clock is behind the wall clock, which the journal has its times of.
    """
    audit = WireAudit(accounting)
    async for submit in control.submitted():
        if submit.taken_as:
            place = audit.take_submit(submit)
            if place is not None and submit.at:
                load.stages.submit.record(datetime.fromisoformat(submit.at).timestamp() - wall - accounting.due[place])
    return audit


def _introduce(console: Console, settings: HttpSettings, target: Target, requests: int) -> None:
    plan = settings.plan
    say(
        console,
        f"plan       {plan['arrivals']} for {plan['seconds']:g} s, {settings.batch} a request: {requests:,} requests",
    )
    say(console, f"           {plan['mix']}; {plan['networks']}; {settings.accounts} accounts; seed {settings.seed}")
    where = settings.url if target.rig is None else f"store on {file_system(target.rig.directory)}"
    say(console, f"machine    {describe_machine()}; {where}")
    say(console, f"           {describe_versions()}")
