"""What can be set of the HTTP side, and its limits."""

from typing import Final

import msgspec

MEBIBYTE: Final = 1024 * 1024


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API listens, and how much it takes from anybody. A wrong value raises ValueError with its rule."""

    listen: str = "127.0.0.1:8080"
    max_body_bytes: int = 8 * MEBIBYTE
    max_messages: int = 10_000  # of one request
    max_messages_in_progress: int = 100_000  # of all requests whose answers are not out yet; above: 429 queue_full
    max_open_messages: int = 5_000_000  # accepted and not final, of all accounts; above: 429 queue_full
    max_unread_bytes: int = 256 * MEBIBYTE  # of all bodies that are still arriving; above: 429 queue_full
    body_timeout_seconds: float = 30.0  # for a whole body to arrive
    keep_alive_seconds: float = 75.0  # for the next request, or for the rest of a header
    stop_timeout_seconds: float = 15.0  # for requests under way, when the server stops
    retry_after_seconds: int = 5  # what a client is told with 429 and 503
    metrics_need_key: bool = False  # /metrics only for keys with the scope metrics

    def __post_init__(self) -> None:
        _split(self.listen)
        _check("max_body_bytes", self.max_body_bytes, 1024, 64 * MEBIBYTE)
        _check("max_messages", self.max_messages, 1, 10_000)
        _check("max_messages_in_progress", self.max_messages_in_progress, self.max_messages, 1_000_000)
        _check("max_open_messages", self.max_open_messages, 1, 1_000_000_000)
        _check("max_unread_bytes", self.max_unread_bytes, self.max_body_bytes, 16 * 1024 * MEBIBYTE)
        _check("body_timeout_seconds", self.body_timeout_seconds, 0.1, 3600)
        _check("keep_alive_seconds", self.keep_alive_seconds, 0.1, 3600)
        _check("stop_timeout_seconds", self.stop_timeout_seconds, 0, 3600)
        _check("retry_after_seconds", self.retry_after_seconds, 1, 3600)

    @property
    def host(self) -> str:
        """The address to listen on, without the brackets that IPv6 has in `listen`."""
        return _split(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to listen on; 0 takes any that is free."""
        return _split(self.listen)[1]


def _split(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    valid = colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535
    if not valid or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(f'listen = "{listen}": must be host:port, with an IPv6 address in brackets')
    return host.strip("[]"), int(port)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value}: must be {low} to {high}")
