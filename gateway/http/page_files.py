"""The operations page at `/`: its files, as they are sent. They are in the package; nothing of them is made or fetched.

They need no key, and hold nothing: what they show they ask the API for, with the key that the operator types in, which
stays in the browser's session.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.http.calls import Answer, Call
from gateway.http.problems import Code, Problem
from gateway.http.routes import Route

_DIRECTORY: Final = Path(__file__).parent / "page"
_FILES: Final = {  # what may be asked for, and as what it is sent
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}
HEADERS: Final = {
    # Texts of messages are shown: whatever one of them says, the page loads and runs its own files only.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class PageFiles:
    """Sends the page. Its files are read once: whoever changes them starts the gateway anew."""

    def __init__(self) -> None:
        self._answers = {
            name: Answer(200, (_DIRECTORY / name).read_bytes(), content_type, HEADERS)
            for name, content_type in _FILES.items()
        }

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", path="/", handler=self.index),
            Route(method="GET", path="/page/{name}", handler=self.file),
        ]

    async def index(self, _: Call) -> Answer:
        """The page."""
        return self._answers["index.html"]

    async def file(self, call: Call) -> Answer:
        """A file that the page names. Raises Problem (404)."""
        found = self._answers.get(call.argument)
        if found is None:
            raise Problem(Code.NOT_FOUND, "There is nothing at this path.")
        return found
