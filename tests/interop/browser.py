"""A real browser for tests: Debian's Chromium, headless, driven over W3C WebDriver by Debian's own chromedriver.

The two come as one version from Debian and the protocol is a few HTTP calls, so nothing is needed beside aiohttp:
selenium would look for a driver of its own, and playwright brings its own builds of browsers.
"""

import asyncio
import base64
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_SECONDS = 60.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name of an element's id: W3C WebDriver, section 12
CAPABILITIES = {
    "alwaysMatch": {
        "goog:chromeOptions": {
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--window-size=1400,1500",
            ]
        },
        "goog:loggingPrefs": {"browser": "ALL"},
    }
}


class Browser:
    """One window. What it is asked for and is not there is an error after a while."""

    def __init__(self, session: aiohttp.ClientSession, path: str) -> None:
        self._session = session
        self._path = path

    async def open(self, url: str) -> None:
        await self._call("POST", "/url", {"url": url})

    async def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page, and return what it returns."""
        return await self._call("POST", "/execute/sync", {"script": script, "args": arguments})

    async def click(self, selector: str) -> None:
        await self._call("POST", f"/element/{await self._find(selector)}/click", {})

    async def type(self, selector: str, text: str) -> None:
        """Replace what is in a field."""
        element = await self._find(selector)
        await self._call("POST", f"/element/{element}/clear", {})
        await self._call("POST", f"/element/{element}/value", {"text": text})

    async def text(self, selector: str) -> str:
        """Return the text that is seen there."""
        return str(await self._call("GET", f"/element/{await self._find(selector)}/text"))

    async def until(self, script: str, *arguments: Any) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (value := await self.run(f"return {script}", *arguments)):
                await asyncio.sleep(0.1)
        return value

    async def complaints(self) -> list[str]:
        """Return what the browser logged since the last call: errors of scripts, blocked or missing files."""
        return [entry["message"] for entry in await self._call("POST", "/se/log", {"type": "browser"})]

    async def screenshot(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode(await self._call("GET", "/screenshot"))

    async def _find(self, selector: str) -> str:
        found = await self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        async with self._session.request(method, self._path + path, json=body) as response:
            value = (await response.json())["value"]
            assert response.status == 200, value
            return value


@asynccontextmanager
async def browsing(directory: Path) -> AsyncIterator[Browser]:
    """A new browser, whose files are in `directory`."""
    environment = {**os.environ, "HOME": str(directory), "TMPDIR": str(directory)}
    driver = await asyncio.create_subprocess_exec(
        "chromedriver", "--port=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment
    )
    assert driver.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (ready := re.search(rb"started successfully on port (\d+)", await driver.stdout.readline())):
                pass
        async with aiohttp.ClientSession(f"http://127.0.0.1:{int(ready[1])}") as session:
            async with session.post("/session", json={"capabilities": CAPABILITIES}) as response:
                value = (await response.json())["value"]
                assert response.status == 200, value
            path = f"/session/{value['sessionId']}"
            try:
                yield Browser(session, path)
            finally:
                async with session.delete(path):
                    pass
    finally:
        driver.terminate()
        await driver.communicate()
