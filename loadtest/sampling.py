"""Looks at a load and its processes now and then, and keeps what it sees."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from loadtest.accounting import Accounting, Answer
from loadtest.openloop import Stages
from loadtest.processes import Usage, read_usage
from loadtest.report import spent
from loadtest.results import ProcessSample, Sample

INTERVAL_SECONDS: Final = 1.0
# A run of many hours has fewer samples an hour, and not more of them.
MOST_SAMPLES: Final = 3_600


class Load(Protocol):
    """What sends, whatever it speaks."""

    stages: Stages
    errors: dict[str, int]
    started_at: float
    last_final_at: float
    clock: Callable[[], float]

    @property
    def open_requests(self) -> int: ...

    async def send(self, arrivals: Sequence[float]) -> None: ...


class Sampler:
    """Samples one load. `pids` are the processes to look at, by name."""

    def __init__(self, load: Load, accounting: Accounting, pids: Mapping[str, int]) -> None:
        self._load = load
        self._accounting = accounting
        self._pids = pids
        self._first = self._look()
        self._before = self._first
        self._at = 0.0
        self.samples: list[Sample] = []

    async def run(self, show: Callable[[Sample], None], *, seconds: float) -> None:
        """Sample until cancelled; the load is expected to last so long."""
        interval = max(INTERVAL_SECONDS, seconds / MOST_SAMPLES)
        while True:
            await asyncio.sleep(interval)
            show(self.take())

    def take(self) -> Sample:
        """Take a sample now."""
        load, accounting = self._load, self._accounting
        now = load.clock() - load.started_at
        looked, elapsed = self._look(), max(0.001, now - self._at)
        accept, final = load.stages.accept.settle(), load.stages.final.settle()
        answers = accounting.answers
        sample = Sample(
            at=now,
            planned=len(accounting.due),
            accepted=answers[Answer.ACCEPTED],
            not_accepted=answers.total() - answers[Answer.ACCEPTED],
            ended=accounting.ended,
            open_requests=load.open_requests,
            accept_p50=accept[0],
            accept_p99=accept[1],
            final_p50=final[0],
            final_p99=final[1],
            processes={
                name: ProcessSample(
                    max(0.0, used.cpu_seconds - self._before[name].cpu_seconds) / elapsed, used.resident_bytes
                )
                for name, used in looked.items()
                if name in self._before
            },
        )
        if len(self.samples) < MOST_SAMPLES + 100:
            self.samples.append(sample)
        self._before, self._at = looked, now
        return sample

    def usage(self) -> dict[str, Usage]:
        """Return what each process has used since the start, and its memory now."""
        return {name: spent(self._first[name], used) for name, used in self._look().items() if name in self._first}

    def _look(self) -> dict[str, Usage]:
        return {name: read_usage(pid) for name, pid in self._pids.items() if Path(f"/proc/{pid}").exists()}


def pin(pid: int, cores: Sequence[int]) -> None:
    """Keep every thread of a process on these cores; those that it starts later come after their parent."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def cores_of(pids: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the cores that each process may use."""
    return {name: sorted(os.sched_getaffinity(pid)) for name, pid in pids.items()}
