"""What the ledger compares, from files or from running programs: journals, and a sender's records of its messages."""

from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

_TIMEOUT: Final = aiohttp.ClientTimeout(total=600)
_PAGE: Final = "1000"


class CannotRead(Exception):  # noqa: N818 - what the caller cannot do
    """Something cannot be read; the message says what and why."""


class Record(msgspec.Struct, frozen=True):
    """A message as its sender knows it.

    `status` is what it says became of it; "" says nothing. `text` is None where the sender does not tell it. Any of
    `message_ids` is that of a submit of this message, as its answer gave it.
    """

    id: str
    to: str
    text: str | None
    status: str = ""
    message_ids: tuple[str, ...] = ()


class _Attempt(msgspec.Struct):
    carrier_message_id: str | None = None


class _Part(msgspec.Struct):
    attempts: tuple[_Attempt, ...] = ()


class _Listed(msgspec.Struct):
    """A message as the gateway's `GET /v1/messages` has it."""

    id: str
    to: str
    status: str
    text: str | None = None
    parts: tuple[_Part, ...] = ()

    def record(self) -> Record:
        attempts = (attempt.carrier_message_id for part in self.parts for attempt in part.attempts)
        return Record(self.id, self.to, self.text, self.status, tuple(name for name in attempts if name))


class _Page(msgspec.Struct):
    messages: list[_Listed]
    cursor: str | None = None


async def read_journal(source: str) -> list[dict[str, Any]]:
    """Return the lines of a journal with its texts: of a file, or of a running simulator. Raises CannotRead.

    The address of a simulator may have `?smsc=` behind it. One whose journal has dropped entries is no base to say
    anything on.
    """
    if not _is_address(source):
        return _lines(source, dict[str, Any])
    base, _, query = source.partition("?")
    base, query = base.rstrip("/"), f"&{query}" if query else ""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        body = await _get(session, f"{base}/journal?text=1{query}")
        counts = msgspec.json.decode(await _get(session, f"{base}/counts?{query[1:]}"))
    if dropped := counts["journal"]["dropped"]:
        raise CannotRead(f"{source}: the journal has dropped {dropped} entries; give it more memory.journal_entries")
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in body.splitlines()]


async def read_records(source: str, *, key: str = "", since: str = "") -> list[Record]:
    """Return the records of a file, or of a running gateway of this project, oldest first. Raises CannotRead."""
    if not _is_address(source):
        return _lines(source, Record)
    query = {"limit": _PAGE} | ({"since": since} if since else {})
    records: list[Record] = []
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session:
        while True:
            body = await _get(session, f"{source.rstrip('/')}/v1/messages", query)
            try:
                page = msgspec.json.decode(body, type=_Page)
            except msgspec.DecodeError as error:
                raise CannotRead(f"{source}: {error}") from error
            records += [message.record() for message in page.messages]
            if page.cursor is None:
                return records[::-1]
            query["cursor"] = page.cursor


def _lines(name: str, kind: type[Any]) -> list[Any]:
    """Return the JSON lines of a file. Raises CannotRead."""
    try:
        lines = Path(name).read_bytes().splitlines()
    except OSError as error:
        raise CannotRead(f"{name}: {error.strerror or error}") from error
    found: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CannotRead(f"{name}, line {number}: {error}") from error
    return found


async def _get(session: aiohttp.ClientSession, url: str, query: dict[str, str] | None = None) -> bytes:
    try:
        async with session.get(url, params=query) as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CannotRead(f"{url}: {error}") from error
    if response.status != 200:
        raise CannotRead(f"{url}: answered {response.status}: {body[:200].decode(errors='replace')}")
    return body


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))
