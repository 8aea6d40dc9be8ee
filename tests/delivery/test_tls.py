"""Binds over TLS: nothing is said to an SMSC that does not prove who it is, and it may ask who we are."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.tls import TlsFault, client_context
from gateway.message import Status
from tests.certificates import KEY_PASSWORD, make_certificates, server_context
from tests.delivery.rig import running
from tests.delivery.samples import bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import scripted


@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def a_carrier(port: int, folder: Path, **fields: Any):
    tls = {"tls": True, "tls_ca_file": str(folder / "ca.pem"), "tls_server_name": "smsc.test"}
    return carrier_settings(bind_settings(port, **(tls | fields)))


def only_tls_1_2(context: ssl.SSLContext) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def test_a_message_goes_over_tls_to_an_smsc_that_proves_its_name(folder: Path):
    async with scripted(tls=server_context(folder)) as smsc, running(a_carrier(smsc.port, folder)) as rig:
        await rig.until(await rig.accept(), Status.SUBMITTED)
        transport = smsc.binds[0]._transport
        assert transport is not None
        assert transport.get_extra_info("cipher")


@pytest.mark.parametrize(
    ("server", "fields", "error"),
    [
        ("smsc", {"tls_server_name": "other.test"}, "Hostname mismatch"),
        ("smsc", {"tls_server_name": ""}, "IP address mismatch"),  # then host must be in it, and 127.0.0.1 is not
        ("smsc", {"tls_ca_file": ""}, "unable to get local issuer certificate"),
        ("smsc", {"tls_ca_file": "other.pem"}, "unable to get local issuer certificate"),
        ("expired", {}, "certificate has expired"),
    ],
    ids=["another name", "no name", "the system's authorities", "another authority", "expired"],
)
async def test_an_smsc_that_does_not_prove_its_name_hears_nothing_and_the_message_waits(
    folder: Path, server: str, fields: dict[str, Any], error: str
):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's side of the failed handshake
    fields = {name: str(folder / value) if value.endswith(".pem") else value for name, value in fields.items()}
    async with (
        scripted(tls=server_context(folder, server)) as smsc,
        running(a_carrier(smsc.port, folder, **fields)) as rig,
    ):
        record = await rig.accept()
        bind = rig.carrier.binds[0]
        await eventually(lambda: error in bind.error)
        assert (smsc.bind_count, smsc.submits) == (0, [])
        assert rig.status_on_disk(record) is Status.QUEUED


@pytest.mark.parametrize(
    "fields",
    [
        {"tls_certificate_file": "client.pem", "tls_key_file": "client.key"},
        {"tls_certificate_file": "client.both.pem"},
        {"tls_certificate_file": "client.pem", "tls_key_file": "client.locked.key", "tls_key_password": KEY_PASSWORD},
    ],
    ids=["key beside it", "key in it", "key encrypted"],
)
async def test_an_smsc_that_asks_who_we_are_is_shown_our_certificate(folder: Path, fields: dict[str, str]):
    fields = {name: value if name == "tls_key_password" else str(folder / value) for name, value in fields.items()}
    async with (
        scripted(tls=server_context(folder, clients=True)) as smsc,
        running(a_carrier(smsc.port, folder, **fields)) as rig,
    ):
        await rig.until(await rig.accept(), Status.SUBMITTED)
        transport = smsc.binds[0]._transport
        assert transport is not None
        assert (("commonName", "client"),) in transport.get_extra_info("peercert")["subject"]


async def test_without_a_certificate_of_ours_such_an_smsc_takes_no_bind(folder: Path):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with (
        scripted(tls=server_context(folder, clients=True)) as smsc,
        running(a_carrier(smsc.port, folder)) as rig,
    ):
        record = await rig.accept()
        await eventually(lambda: rig.carrier.binds[0].error not in {"", "not connected yet"})
        assert smsc.bind_count == 0
        assert rig.status_on_disk(record) is Status.QUEUED


async def test_an_smsc_that_speaks_an_older_version_than_the_least_is_left_alone(folder: Path):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    old = only_tls_1_2(server_context(folder))
    async with scripted(tls=old) as smsc, running(a_carrier(smsc.port, folder, tls_minimum_version="1.3")) as rig:
        await eventually(lambda: rig.carrier.binds[0].error not in {"", "not connected yet"})
        assert smsc.bind_count == 0
    async with scripted(tls=old) as smsc, running(a_carrier(smsc.port, folder)) as rig:
        await eventually(lambda: rig.carrier.is_up)


async def test_an_smsc_without_tls_gets_no_bind_in_the_clear(folder: Path):
    async with (
        scripted() as smsc,
        running(a_carrier(smsc.port, folder, connect_timeout_seconds=0.2)) as rig,
    ):
        await eventually(lambda: rig.carrier.binds[0].error not in {"", "not connected yet"})
        assert smsc.bind_count == 0


async def test_a_certificate_that_was_renewed_is_shown_at_the_next_connection(folder: Path, tmp_path: Path):
    own = tmp_path / "own.pem"
    own.write_bytes((folder / "smsc.pem").read_bytes() + (folder / "smsc.key").read_bytes())
    async with (
        scripted(tls=server_context(folder, clients=True)) as smsc,
        running(a_carrier(smsc.port, folder, tls_certificate_file=str(own))) as rig,
    ):
        await eventually(lambda: rig.carrier.is_up)
        own.write_bytes((folder / "client.both.pem").read_bytes())
        smsc.binds[0].abort()
        await eventually(lambda: smsc.bind_count == 2)
        transport = smsc.binds[-1]._transport
        assert transport is not None
        assert (("commonName", "client"),) in transport.get_extra_info("peercert")["subject"]


async def test_a_certificate_that_cannot_be_read_keeps_the_bind_down_and_says_why(folder: Path, tmp_path: Path):
    async with scripted(tls=server_context(folder)) as smsc:
        gone = a_carrier(smsc.port, folder, tls_certificate_file=str(tmp_path / "gone.pem"))
        async with running(gone) as rig:
            await eventually(lambda: rig.carrier.binds[0].error.startswith("tls_certificate_file: must name"))
            assert smsc.connections == 0


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        (
            {"tls_ca_file": "none.pem"},
            "tls_ca_file: must name a file of certificates in PEM (No such file or directory)",
        ),
        (
            {"tls_ca_file": "ca.key"},
            "tls_ca_file: must name a file of certificates in PEM (no certificate or crl found)",
        ),
        ({"tls_ca_file": "a\0b"}, "tls_ca_file: must name a file of certificates in PEM (embedded null byte)"),
        (
            {"tls_certificate_file": "client.pem"},
            "tls_certificate_file: must name a certificate in PEM, with its key in it or in tls_key_file (not in it)",
        ),
        (
            {"tls_certificate_file": "client.pem", "tls_key_file": "smsc.key"},
            (
                "tls_certificate_file: must name a certificate in PEM, with its key in it or in tls_key_file "
                "(key values mismatch)"
            ),
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_rule(folder: Path, fields: dict[str, str], fault: str):
    paths = {name: value if "\0" in value else str(folder / value) for name, value in fields.items()}
    with pytest.raises(TlsFault) as caught:
        client_context(bind_settings(1, tls=True, **paths))
    assert str(caught.value) == fault


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_locked_key_without_its_password_is_refused_and_nobody_is_asked(folder: Path, password: str):
    files = {"tls_certificate_file": str(folder / "client.pem"), "tls_key_file": str(folder / "client.locked.key")}
    with pytest.raises(TlsFault, match="tls_certificate_file: must name"):
        client_context(bind_settings(1, tls=True, tls_key_password=password, **files))
