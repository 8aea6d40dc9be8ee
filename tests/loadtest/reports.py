"""A report to look at."""

import msgspec

from loadtest.accounting import Account, Wire
from loadtest.processes import Usage
from loadtest.recording import Recorder
from loadtest.requirements import parse_requirements
from loadtest.results import FIGURES, PROCESSES, STAGES, ProcessSample, RunReport, Sample, figures_of, judge

NOTHING = dict.fromkeys(Account.__struct_fields__, 0)
CLEAN = Wire(**dict.fromkeys(Wire.__struct_fields__, 0) | {"parts": 105})
USED = Usage(cpu_seconds=0.02, resident_bytes=2**20, peak_resident_bytes=50 * 2**20)


def make_account(**counts: int) -> Account:
    return Account(**NOTHING | {"planned": 100, "accepted": 100, "delivered": 100} | counts)


def make_figures(of: Account, wire: Wire | None = CLEAN) -> dict[str, float]:
    recorder = Recorder()
    recorder.record(0.05)
    stages = {stage: recorder.latencies() for stage in STAGES}
    usage = dict.fromkeys(PROCESSES, USED)
    return figures_of(of, wire, stages, usage, sending_seconds=2.0, total_seconds=4.0)


def make_report(of: Account | None = None, required: str = "", **changes: object) -> RunReport:
    found = make_figures(of or make_account())
    recorder = Recorder()
    recorder.record(0.05)
    processes = dict.fromkeys(PROCESSES, ProcessSample(0.5, 2**20))
    samples = [
        Sample(
            at=float(at), planned=50 * at, accepted=50 * at, not_accepted=0, ended=10 * at, open_requests=1,
            accept_p50=0.05, accept_p99=0.05, final_p50=0.1, final_p99=0.2, processes=processes,
        )
        for at in (1, 2)
    ]  # fmt: skip
    made = RunReport(
        mode="http",
        command="python -m loadtest http",
        started_at="2026-03-01T00:00:00+00:00",
        interrupted=False,
        machine="a machine",
        versions="Python",
        cores={process: [0, 1] for process in PROCESSES},
        seed=1,
        plan={"arrivals": "constant:50"},
        config={"http": {"listen": "127.0.0.1:1"}},
        sending_seconds=2.0,
        total_seconds=4.0,
        account=of or make_account(),
        wire=CLEAN,
        stages={"accept": recorder.latencies()},
        errors={},
        usage=dict.fromkeys(PROCESSES, USED),
        samples=samples,
        figures=found,
        judgements=judge(parse_requirements(required, FIGURES), found),
    )
    return msgspec.structs.replace(made, **changes)
