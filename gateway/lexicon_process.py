"""Builds a lexicon in a process of its own: a large one would hold up the loop for as long as it takes, thread or not.

The process is told on its standard input which files to read, with the tables that the gateway itself searches with. It
writes what it built into a file, part after part, and says on standard error what is wrong with a list.
"""

import asyncio
import contextlib
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gateway.word_files import WordFile, read_list
from gateway.words.building import Built, build
from gateway.words.codes import Codes
from gateway.words.lists import WordListError, read_rules
from gateway.words.tables import Tables

TIMEOUT_SECONDS: Final = 120.0
_NICE: Final = 10  # messages first
_REFUSED: Final = 3  # the exit code that goes with a reason
_LENGTH: Final = struct.Struct("<Q")
_MAXIMUM_SHOWN: Final = 2_000


class Order(msgspec.Struct, frozen=True):
    """What is to be built, and where to."""

    tables: Tables
    files: list[WordFile]
    target: str


async def build_elsewhere(tables: Tables, files: list[WordFile]) -> Built:
    """What the files hold now, as a lexicon. Raises WordListError, also when the process fails or takes too long."""
    with tempfile.TemporaryDirectory(prefix="yizhan-words-") as folder:
        target = Path(folder) / "lexicon"
        await _run(msgspec.json.encode(Order(tables, files, str(target))))
        return await asyncio.to_thread(_read, target)


async def _run(order: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.lexicon_process"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, said = await process.communicate(order)
    except TimeoutError:
        raise WordListError(f"building it took longer than {TIMEOUT_SECONDS:.0f} seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == _REFUSED:
        raise WordListError(said.decode(errors="replace").strip()[:_MAXIMUM_SHOWN])
    if process.returncode != 0:
        raise WordListError(f"the process that builds it ended with {process.returncode}")


def write(built: Built, target: Path) -> None:
    """Each part with its length in front, in the order of the fields."""
    with target.open("wb") as file:
        for part in msgspec.structs.astuple(built):
            file.write(_LENGTH.pack(len(part)))
            file.write(part)


def _read(target: Path) -> Built:
    """Part after part: reading leaves the others their turn, while taking a large whole apart would not."""
    with target.open("rb") as file:
        return Built(**{name: file.read(*_LENGTH.unpack(file.read(8))) for name in Built.__struct_fields__})


def main() -> int:
    """The process."""
    os.nice(_NICE)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        rules = read_rules([read_list(file) for file in order.files])
        built = build(order.tables, Codes(order.tables), rules)
    except WordListError as error:
        sys.stderr.write(str(error))
        return _REFUSED
    write(built, Path(order.target))
    return 0


if __name__ == "__main__":
    sys.exit(main())
