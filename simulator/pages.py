"""The live page's files, as they are sent: they are in the package, and nothing of them is made or fetched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

_DIRECTORY: Final = Path(__file__).parent / "page"
_CONTENT_TYPES: Final[Mapping[str, str]] = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS: Final[Mapping[str, str]] = {
    # Texts of messages are shown: whatever one of them says, the page loads and runs its own files only.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


async def send_page(_: web.Request) -> web.Response:
    """Answer with the page."""
    return _send("index.html")


async def send_file(request: web.Request) -> web.Response:
    """Answer with a file that the page names."""
    return _send(request.match_info["name"])


def page_files() -> list[str]:
    """Return the names of the files that the page is made of."""
    return sorted(path.name for path in _DIRECTORY.iterdir() if path.suffix in _CONTENT_TYPES)


def _send(name: str) -> web.Response:
    if name not in page_files():
        raise web.HTTPNotFound
    path = _DIRECTORY / name
    return web.Response(
        body=path.read_bytes(), content_type=_CONTENT_TYPES[path.suffix], charset="utf-8", headers=_HEADERS
    )
