"""An open load over HTTP by a plan of arrivals, each message followed to its end and accounted for, with a report.

Without --url it starts a simulator and a gateway of its own. With it, it drives the gateway there, and follows by
GET /v1/events, for which the account needs [account.callback]; --simulator has the journal audited of what is behind.
"""

import argparse
import os
import secrets
from contextlib import AsyncExitStack
from itertools import cycle

from rich.console import Console

from loadtest.accounting import Accounting
from loadtest.arrivals import make_arrivals
from loadtest.course import Course, finish
from loadtest.guard import read_numbers
from loadtest.machine import describe_machine, describe_versions, file_system
from loadtest.openloop import OpenLoop
from loadtest.options import HttpSettings, add_arguments, settings_of
from loadtest.phones import make_phones
from loadtest.receiver import poll_events, receiving
from loadtest.results import RunReport
from loadtest.sampling import pin
from loadtest.screen import make_console, say
from loadtest.supply import Supply
from loadtest.targets import Target, open_target
from loadtest.trace import Trace

__all__ = ["add_arguments", "measure", "run"]


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    settings = settings_of(options)
    console = make_console()
    return finish(await measure(settings, console), settings, console)


async def measure(settings: HttpSettings, console: Console, trace: Trace | None = None) -> RunReport:
    """Carry a load out, by plan or trace, and return its report, also when it is interrupted. Raises CannotRun."""
    phones = cycle(read_numbers(settings.numbers)) if settings.numbers else None
    tag = f"load-{secrets.token_hex(4)}-"
    accounting = Accounting(tag)
    supply = Supply(
        settings.mix,
        phones or make_phones(settings.networks, seed=settings.seed),
        seed=settings.seed,
        tag=tag,
        traced=None if trace is None else trace.kinds,
    )
    if trace is None:
        arrivals = make_arrivals(settings.shape, seed=settings.seed, together=settings.batch)
    else:
        arrivals = trace.together(settings.batch)
    async with AsyncExitStack() as stack:
        # Callbacks go to whoever takes events by then: the URL must be known before there is a gateway.
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
        _introduce(console, settings, target, len(arrivals))
        course = Course("http", settings, load, accounting, pids)
        followers = [] if target.called_back else [poll_events(api, load.take_events) for api in target.apis]
        work = course.run(arrivals, console, followers)
        await course.during(work if target.rig is None else target.rig.during(work))
        if target.control is not None:
            await course.read_journal(target.control)
    return course.report(target.config)


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
