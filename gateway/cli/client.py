"""Calls of a running gateway's HTTP API, one after the other, with a key that is never shown."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

DEFAULT_URL: Final = "http://127.0.0.1:8080"

_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024  # a page of 1,000 long messages with many attempts is some megabytes


class Unusable(Exception):  # noqa: N818 - it says what is unusable
    """The address or the key of the gateway cannot be used as it is written."""


class Unreachable(Exception):  # noqa: N818 - it says what is unreachable
    """Nobody answered, or what answered is no gateway."""


class Refused(Exception):  # noqa: N818 - it is an answer
    """The gateway answered with a problem document. The text is what a person is told of it."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__("\n".join(_lines_of(status, problem)))
        self.status = status


class Reply(msgspec.Struct, frozen=True):
    """What a call was answered."""

    status: int
    page: Any


class Client:
    """Asks one gateway. It follows no redirect: the key is for this address."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float, language: str = "") -> None:
        """`language`: what refusals are told in, as Accept-Language has it. Raises Unusable."""
        try:
            address = urlsplit(url)
            host, port = address.hostname, address.port
        except ValueError:
            host, port = None, None
        if (
            not url.isascii()
            or host is None
            or address.scheme not in {"http", "https"}
            or address.query
            or address.fragment
        ):
            raise Unusable("the url must be http://HOST:PORT or https://HOST:PORT")
        # http.client shows a header's value when it refuses it: what could not be a key must not get there.
        if not key.isprintable():
            raise Unusable("the key must not have control characters")
        self.has_key = bool(key)
        self._is_secure = address.scheme == "https"
        self._host, self._port = host, port or (443 if self._is_secure else 80)
        self._prefix = address.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._headers = {"Accept": "application/json", "User-Agent": "yizhan"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}".encode("utf-8", "surrogateescape").decode("latin-1")
        if language:
            self._headers["Accept-Language"] = language

    def get(self, path: str, query: Mapping[str, str] | None = None, *, also: int = 200) -> Reply:
        """Ask. `also`: a status beside 2xx that is an answer. Raises Refused, Unreachable."""
        return self._call("GET", path, query, None, also)

    def post(self, path: str, query: Mapping[str, str] | None = None, *, body: Any = None) -> Reply:
        """Do. Raises Refused, Unreachable."""
        return self._call("POST", path, query, body, 200)

    def _call(self, method: str, path: str, query: Mapping[str, str] | None, body: Any, also: int) -> Reply:
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        headers = dict(self._headers)
        octets = None
        if body is not None:
            octets = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status, content = self._exchange(method, target, octets, headers)
        try:
            page = json.loads(content)
        except (ValueError, RecursionError):
            raise Unreachable(f"what answers there is no gateway (status {status})") from None
        if not isinstance(page, dict):
            raise Unreachable(f"what answers there is no gateway (status {status})")
        if not (200 <= status < 300 or status == also):
            raise Refused(status, page)
        return Reply(status, page)

    def _exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """One request, one answer. Raises Unreachable."""
        connection = self._connection()
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            content = response.read(_MAX_ANSWER_BYTES + 1)
        except TimeoutError:
            raise Unreachable(f"no answer within {self._timeout_seconds:g} s") from None
        except OSError as error:
            raise Unreachable(error.strerror or str(error)) from None
        except UnicodeError:
            raise Unreachable("its host cannot be the name of one") from None
        except http.client.HTTPException:
            raise Unreachable("what answers there does not speak HTTP, or broke off") from None
        finally:
            connection.close()
        if len(content) > _MAX_ANSWER_BYTES:
            raise Unreachable(f"the answer has more than {_MAX_ANSWER_BYTES} octets")
        return response.status, content

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_seconds, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)


def _lines_of(status: int, problem: Mapping[str, Any]) -> list[str]:
    """A problem document as lines: its code and detail, then each fault."""
    lines = [f"{problem.get('code', 'refused')} ({status}): {problem.get('detail') or problem.get('title') or ''}"]
    faults = problem.get("errors")
    for fault in faults if isinstance(faults, list) else ():
        if isinstance(fault, dict):
            place = str(fault.get("parameter") or fault.get("pointer") or "")
            value = f" = {fault['value']}" if fault.get("value") is not None else ""
            lines.append(f"  {place}{value}: {fault.get('rule', '')}")
    return lines
