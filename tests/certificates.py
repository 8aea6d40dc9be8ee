"""Authorities and certificates of their own making, for tests of TLS."""

import ssl
import subprocess
from pathlib import Path

KEY_PASSWORD = "open sesame"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def make_certificates(folder: Path) -> Path:
    """Write `ca.pem` and what it has signed: `smsc` (for smsc.test), `expired` (the same, of yesterday), `client`.

    Each is NAME.pem and NAME.key; `client.both.pem` has both, `client.locked.key` is encrypted with KEY_PASSWORD, and
    `other.pem` is an authority that has signed nothing. Returns the folder.
    """
    for authority in ("ca", "other"):
        _openssl(folder, "req", "-x509", *_CURVE, "-nodes", "-days", "2",
                 "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-subj", f"/CN={authority}")  # fmt: skip
    _sign(folder, "smsc", names="DNS:smsc.test")
    _sign(folder, "expired", names="DNS:smsc.test", days=-1)
    _sign(folder, "client", names="DNS:gateway.test")
    (folder / "client.both.pem").write_bytes(
        (folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes()
    )
    _openssl(folder, "ec", "-in", "client.key", "-out", "client.locked.key", "-aes256",
             "-passout", f"pass:{KEY_PASSWORD}")  # fmt: skip
    return folder


def server_context(folder: Path, name: str = "smsc", *, clients: bool = False) -> ssl.SSLContext:
    """That of an SMSC which shows certificate `name`; with `clients` it wants one of ours too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
    return context


def _sign(folder: Path, name: str, *, names: str, days: int = 2) -> None:
    _openssl(folder, "req", *_CURVE, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    (folder / "names").write_text(f"subjectAltName={names}\n", encoding="ascii")
    _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", str(days), "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
