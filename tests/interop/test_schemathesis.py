"""The API against Schemathesis: thousands of requests made from its own description, right ones and wrong ones.

It knows nothing of the gateway but /openapi.json, and says where an answer is none of those described, where something
wrong was taken, and where something broke.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

SECONDS = 60  # to Schemathesis; it ends earlier where it has tried everything
SCOPES = ["send", "read", "operate", "review", "metrics"]


async def test_every_answer_is_one_that_the_description_has(tmp_path: Path) -> None:
    """A seed is printed with every failure, and so is a curl command that shows it."""
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="wait")
    tables["account"][0] |= {"scopes": SCOPES, "callback": {}}
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(Path(__file__).with_suffix(".toml")),
        ]
        options = ["--max-time", str(SECONDS), "--no-color", "-H", f"Authorization: Bearer {KEY}"]
        running = await asyncio.create_subprocess_exec(
            *command, "run", f"{gateway.url}/openapi.json", *options, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await running.communicate()
        report = output.decode(errors="replace")

        assert running.returncode == 0, report
        assert " passed" in report
        assert await gateway.stop() == 0
        assert "Traceback" not in gateway.log()
