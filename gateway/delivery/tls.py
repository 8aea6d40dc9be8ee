"""TLS of a bind: whose certificate the SMSC must show, and which one we show."""

import ssl
from typing import Final

from gateway.delivery.settings import BindSettings, TlsVersion

_VERSIONS: Final = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}


class TlsFault(Exception):  # noqa: N818 - it names a setting, as a config error does
    """The file that setting `field` names cannot be used: it breaks `rule`."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


def client_context(settings: BindSettings) -> ssl.SSLContext | None:
    """What `settings` ask of the connection, or None without TLS. Raises TlsFault.

    Files are read each time, so that a certificate that was renewed is used from the next connection on.
    """
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise TlsFault("tls_ca_file", f"must name a file of certificates in PEM ({_reason(error)})") from None
    context.minimum_version = _VERSIONS[settings.tls_minimum_version]
    if settings.tls_certificate_file:
        _load_own_certificate(context, settings)
    return context


def _load_own_certificate(context: ssl.SSLContext, settings: BindSettings) -> None:
    try:
        # A password of "" is one too: without any, OpenSSL would ask for it at the terminal.
        context.load_cert_chain(
            settings.tls_certificate_file, settings.tls_key_file or None, lambda: settings.tls_key_password
        )
    except (OSError, ValueError) as error:
        rule = f"must name a certificate in PEM, with its key in it or in tls_key_file ({_reason(error)})"
        raise TlsFault("tls_certificate_file", rule) from None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.lower().replace("_", " ") if error.reason else "not in it"
    return str((isinstance(error, OSError) and error.strerror) or error)
