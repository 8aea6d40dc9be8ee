"""A name server that does not answer costs the account whose receiver it names, and nobody else."""

import asyncio
import socket
import threading

import pytest

from gateway.callbacks.resolver import Resolver


async def test_an_address_is_found():
    [found, *_] = await Resolver().resolve("localhost", 80, socket.AF_INET)
    assert (found["host"], found["port"], found["hostname"]) == ("127.0.0.1", 80, "localhost")


async def test_a_host_that_is_none_is_an_error():
    with pytest.raises(OSError, match=r".*"):
        await Resolver().resolve("no-such-host.invalid", 80)
    with pytest.raises(OSError, match="not the name"):
        await Resolver().resolve("x" * 70 + ".invalid", 80)


async def test_look_ups_that_hang_hold_up_no_other(monkeypatch: pytest.MonkeyPatch):
    real, hang = socket.getaddrinfo, threading.Event()

    def slow(host, *args, **kwargs):
        if host.startswith("dead"):
            hang.wait(30)
            raise OSError("no answer")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    hanging = [asyncio.ensure_future(Resolver().resolve(f"dead{n}", 80)) for n in range(40)]
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(Resolver().resolve("localhost", 80, socket.AF_INET), 10)
    hanging[0].cancel()
    hang.set()
    results = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(result, OSError | asyncio.CancelledError) for result in results)
