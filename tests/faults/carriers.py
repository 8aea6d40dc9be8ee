"""What else keeps a carrier from being reached: TLS that breaks off, certificates that are no good, names not found."""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.clocks import build
from loadtest.configuration import Tables, change_binds
from tests.certificates import make_certificates, server_context
from tests.faults.outcome import Outcome
from tests.faults.world import MOST_COPIES, OPERATOR_KEY, Plan, World, waiting, world

NAMES_SHIM: Final = Path(__file__).parent / "shims" / "names.c"
_BETWEEN_SECONDS: Final = (0.5, 2.0)
_AWAY_SECONDS: Final = (1.0, 3.0)


async def tls_cut(plan: Plan) -> Outcome:
    """Reset connections in the midst of a record."""
    certificates = make_certificates(plan.directory)
    async with world(plan, proxied=True, tls=server_context(certificates), change=_with_tls(certificates)) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            for proxy in made.proxies:
                proxy.cut_midway()
            await asyncio.sleep(1)
            made.traffic.check()
            await made.bound()
        return await made.judged("TLS closed in mid-record", tried=plan.times, most_resend=plan.times * MOST_COPIES)


async def certificates_changed(plan: Plan) -> Outcome:
    """Show a certificate that is expired, or of an authority that nobody trusts, and then a good one again."""
    certificates = make_certificates(plan.directory)
    shown = server_context(certificates)
    wrong: list[str] = []
    async with world(plan, proxied=True, tls=shown, change=_with_tls(certificates)) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            name = plan.chance.choice(("expired", "other"))
            _show(shown, certificates, name)
            for proxy in made.proxies:
                proxy.cut()
            await asyncio.sleep(plan.chance.uniform(*_AWAY_SECONDS))
            wrong += [f"{bind} bound to {name}" for bind in await _with_state(made, "bound")]
            wrong += await _unexplained(made, "certificate")
            _show(shown, certificates, "smsc")
            made.traffic.check()
            await made.bound()
        outcome = await made.judged(
            "certificate expired, or changed", tried=plan.times, most_resend=plan.times * MOST_COPIES
        )
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


async def names_not_found(plan: Plan) -> Outcome:
    """Cut every connection while names are not found, at once or by no resolver answering."""
    failing = plan.directory / "names-fail"
    environment = {"LD_PRELOAD": str(build(NAMES_SHIM, plan.directory)), "FAIL_NAMES_FILE": str(failing)}

    def by_name(tables: Tables) -> Tables:
        return change_binds(tables, lambda bind: {**bind, "host": f"{bind['system_id']}.smsc.test"})

    wrong: list[str] = []
    async with world(plan, proxied=True, change=by_name, environment=environment) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            failing.write_text(plan.chance.choice(("", "2.5")), encoding="ascii")
            for proxy in made.proxies:
                proxy.cut()
            await asyncio.sleep(plan.chance.uniform(*_AWAY_SECONDS))
            wrong += [f"{bind} is bound though its name is not found" for bind in await _with_state(made, "bound")]
            failing.unlink()
            made.traffic.check()
            await made.bound()
        outcome = await made.judged("names not found (DNS)", tried=plan.times, most_resend=plan.times * MOST_COPIES)
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


def _with_tls(certificates: Path):
    tls = {"tls": True, "tls_ca_file": str(certificates / "ca.pem"), "tls_server_name": "smsc.test"}
    return lambda tables: change_binds(tables, lambda bind: {**bind, **tls})


def _show(context: ssl.SSLContext, certificates: Path, name: str) -> None:
    """Show another certificate from the next connection on."""
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")


async def _with_state(made: World, state: str) -> Sequence[str]:
    async with made.gateway.api() as api:
        return [bind.name for bind in (await api.readiness()).binds if bind.state == state]


async def _unexplained(made: World, word: str) -> Sequence[str]:
    """Wait until the error of every bind says so; what is not explained then."""

    async def unexplained() -> str:
        carriers = (await made.gateway.get("/v1/carriers", key=OPERATOR_KEY))["carriers"]
        binds = [bind for carrier in carriers for bind in carrier["binds"]]
        return ", ".join(f"{each['name']}: {each['error']}" for each in binds if word not in (each["error"] or ""))

    try:
        await waiting(unexplained, timeout_seconds=10)
    except AssertionError as error:
        return [f"the error of a bind says nothing of a {word}: {error}"]
    return []
