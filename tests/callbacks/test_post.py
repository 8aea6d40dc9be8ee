"""What is asked of a receiver, and over which connections."""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.callbacks.post import Outcome, Post
from gateway.message import MessageId
from gateway.store.api import Event, EventId
from tests.callbacks.conftest import SECRET, Receiver, quick

EVENT = Event(id=EventId(7), account="demo", message_id=MessageId(9), type="delivered", at=1, to="+8613800138000")

POST_ONCE = f"""
import asyncio, sys
from gateway.callbacks.post import Post
from gateway.callbacks.settings import CallbackSettings
from tests.callbacks.test_post import EVENT

async def main():
    post = Post()
    print((await post.send(CallbackSettings(url=sys.argv[1], secret="{SECRET}"), [EVENT])).outcome)
    await post.close()

asyncio.run(main())
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """One that nobody vouches for but itself, with its key in the same file."""
    path = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", path, "-out", tmp_path / "only.pem", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "only.pem").read_text())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for_gets_no_event(receiver: Receiver, tls: ssl.SSLContext):
    post = Post()
    async with receiver.listening(tls) as url:
        assert url.startswith("https://")
        answer = await post.send(quick(url), [EVENT])
    await post.close()
    assert answer.outcome is Outcome.UNREACHABLE
    assert receiver.requests == []


async def test_a_receiver_is_told_over_tls_when_its_certificate_is_trusted(
    receiver: Receiver, tls: ssl.SSLContext, certificate: Path
):
    async with receiver.listening(tls) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", POST_ONCE, url,
            stdout=subprocess.PIPE, env=os.environ | {"SSL_CERT_FILE": str(certificate)},
        )  # fmt: skip
        output, _ = await process.communicate()
    assert output.decode().strip() == Outcome.DELIVERED
    assert [event["event_id"] for event in receiver.taken] == ["7"]


async def test_nobody_who_listens_is_unreachable_and_no_error_quotes_the_url(unused_tcp_port: int):
    post = Post()
    answer = await post.send(quick(f"http://127.0.0.1:{unused_tcp_port}/hook?token=secret-token"), [EVENT])
    await post.close()
    assert answer.outcome is Outcome.UNREACHABLE
    assert "token" not in answer.error
