"""The command line against servers that refuse, are no gateway, or are not there: exit status, words, no key shown."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from gateway.cli.__main__ import main

KEY = "key-that-nobody-sees"


@contextmanager
def serving(status: int, body: bytes, location: str = "") -> Iterator[tuple[str, list[Any]]]:
    """A server that gives one answer; the requests that came."""
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YIZHAN_URL", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YIZHAN_KEY", KEY)


def run(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> int:
    monkeypatch.setenv("YIZHAN_URL", url)
    return main(list(arguments))


def test_a_refusal_is_told_with_every_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {
        "code": "invalid_request",
        "detail": "Something is wrong with it.",
        "errors": [
            {"pointer": "/to", "rule": "must be a number", "value": "1**2"},
            {"parameter": "limit", "rule": "x"},
        ],
    }
    with serving(400, json.dumps(problem).encode()) as (url, _):
        assert run(monkeypatch, url, "find", "12") == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "yizhan: invalid_request (400): Something is wrong with it.",
        "  /to = 1**2: must be a number",
        "  limit: x",
    ]


def test_a_server_that_nobody_runs_is_told_with_its_own_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        assert run(monkeypatch, f"http://127.0.0.1:{held.getsockname()[1]}", "status") == 3
    assert "cannot be reached: Connection refused" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_given_up_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert run(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}", "status", "--timeout", "0.2") == 3
    assert "no answer within 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"other": 1}'])
def test_what_is_no_gateway_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    with serving(200, body) as (url, _):
        assert run(monkeypatch, url, "carriers") == 3
    assert "no gateway" in capsys.readouterr().err


def test_a_redirect_is_not_followed_so_that_the_key_stays_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(200, b'{"carriers": []}') as (other, elsewhere), serving(307, b"", other) as (url, here):
        assert run(monkeypatch, url, "carriers") == 3
    assert (len(here), elsewhere) == (1, [])
    assert here[0][2]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://h:99999", "http://例.cn"])
def test_an_address_that_is_none_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert run(monkeypatch, url, "status") == 2
    assert "the url must be http://HOST:PORT" in capsys.readouterr().err


def test_a_key_that_cannot_be_one_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIZHAN_KEY", f"{KEY}\nX-Other: 1")
    assert run(monkeypatch, "http://127.0.0.1:1", "status") == 2
    out, err = capsys.readouterr()
    assert KEY not in out + err


def test_names_are_one_segment_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(404, b'{"code": "not_found", "detail": "."}') as (url, seen):
        assert run(monkeypatch, f"{url}/sms/", "pause", "a/../b?c", "--queue", "move") == 1
    assert seen[0][:2] == ("POST", "/sms/v1/carriers/a%2F..%2Fb%3Fc/pause?queue=move")


def test_a_chinese_terminal_asks_for_chinese_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(404, b'{"code": "not_found", "detail": "."}') as (url, seen):
        run(monkeypatch, url, "explain", "13800138000", "停水")
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
        run(monkeypatch, url, "explain", "13800138000", "停水")
    assert [each[2].get("Accept-Language") for each in seen] == [None, "zh-CN"]
    assert json.loads(seen[0][3]) == {"to": "13800138000", "text": "停水"}


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "3601"])
def test_a_timeout_that_is_none_is_wrong_use(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["status", "--timeout", seconds])
    assert stopped.value.code == 2
    assert "must be seconds" in capsys.readouterr().err
