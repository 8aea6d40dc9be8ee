"""The operations page is sent as it is, and may load and run nothing but itself."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.http import page_files

DIRECTORY = Path(page_files.__file__).parent / "page"
PAGE = (DIRECTORY / "index.html").read_text("utf-8")
SCRIPT = (DIRECTORY / "page.js").read_text("utf-8")
WORDS = (DIRECTORY / "words.js").read_text("utf-8")


async def test_the_page_and_all_that_it_names_are_there_without_a_key(api: Any) -> None:
    page = await api.get("/", key=None)
    named = re.findall(r'(?:src|href)="(/[^"]*)"', PAGE)

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.body == (DIRECTORY / "index.html").read_bytes()
    assert {f"/page/{path.name}" for path in DIRECTORY.iterdir()} == {*named, "/page/index.html"}
    for path in named:
        assert (await api.get(path, key=None)).status == 200


@pytest.mark.parametrize("path", ["/page/other.js", "/page/..%2fserver.py", "/page/", "/page/page.js/x"])
async def test_nothing_else_is_sent(api: Any, path: str) -> None:
    assert (await api.get(path, key=None)).status == 404


async def test_the_browser_is_told_to_run_and_load_nothing_else(api: Any) -> None:
    headers = (await api.get("/", key=None)).headers
    policy = headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_nothing_in_the_files_leads_elsewhere_or_would_need_a_weaker_policy() -> None:
    for text in (PAGE, SCRIPT, WORDS, (DIRECTORY / "page.css").read_text("utf-8")):
        assert not re.search(r"https?://|@import|url\(", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", PAGE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", SCRIPT)
    assert "localStorage" not in SCRIPT, "a key is kept for the session only"
    assert "cookie" not in SCRIPT


def test_it_says_the_same_things_in_both_languages_and_all_that_it_says_has_words() -> None:
    english, chinese = WORDS.split("  zh: {")
    names = [re.findall(r"(\w+): \"", text) for text in (english, chinese)]
    asked = set(re.findall(r'data-word="(\w+)"', PAGE)) | set(re.findall(r'word\("(\w+)"\)', SCRIPT))

    assert names[0] == names[1]
    assert asked <= set(names[0])
