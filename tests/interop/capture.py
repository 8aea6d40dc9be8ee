"""Captures: taken off loopback with dumpcap, or written by hand, and read with tshark.

Neither shares a line with us, so what tshark makes of our octets is a second opinion.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.errors import CannotRun
from loadtest.processes import Child

INTERFACE: Final = "lo"
BUFFER_MEBIBYTES: Final = 32
START_SECONDS: Final = 10.0
# The kernel hands packets over in blocks, each 250 ms after its first packet at the latest.
SETTLE_SECONDS: Final = 1.0
READ_SECONDS: Final = 60.0

# As peers mean it: data_coding 0 is the GSM alphabet, an octet a character. tshark decodes it only when told.
PREFERENCES: Final = ("-o", "smpp.decode_sms_over_smpp:GSM 7-bit", "-o", "smpp.gsm7_unpacked:TRUE")

WARNING: Final = 0x00600000  # the lowest severity of tshark's expert information that is a complaint
RAW_IP: Final = 101  # LINKTYPE_RAW: packets begin with their IP header

# What is below SMPP is the kernel's; a retransmission on a busy machine is no fault of ours.
BELOW: Final = frozenset({"frame", "eth", "raw", "ip", "tcp", "tcp.segments"})
CONTENT: Final = "gsm_sms_ud"  # the user data header in a short_message, and what follows it

HEADER_OCTETS: Final = 16
COMMAND_STATUS: Final = frozenset(range(8, 12))
RESPONSE: Final = 0x80000000  # the bit that a response has in its command_id
SUBMIT_MULTI: Final = 0x00000021

_LOOK_SECONDS: Final = 0.02
_ADDRESS: Final = bytes((127, 0, 0, 1))

# An object of tshark's JSON: its names repeat, and their order counts.
Pairs = tuple[tuple[str, Any], ...]


class Dissected(msgspec.Struct, frozen=True):
    """One SMPP PDU as tshark reads it.

    `octets` are where it found the PDU to begin and end, `silent` the places among them that no field shows. `fields`
    are its leaves, and those of the user data header inside, as (name, value).
    """

    frame: int
    stream: int
    source_port: int
    destination_port: int
    octets: bytes
    fields: tuple[tuple[str, str], ...]
    silent: frozenset[int]

    def all(self, name: str) -> list[str]:
        """Every value of the fields with this name."""
        return [value for each, value in self.fields if each == name]

    def text(self, name: str) -> str:
        """The value of the one field with this name."""
        values = self.all(name)
        assert len(values) == 1, f"{name} is there {len(values)} times in {self}"
        return values[0]

    def number(self, name: str) -> int:
        """The same, as the number that it is, decimal or hexadecimal."""
        return int(self.text(name), 0)

    @property
    def command_id(self) -> int:
        return self.number("smpp.command_id")

    @property
    def command_status(self) -> int:
        """0 in a request, where tshark does not show it."""
        return self.number("smpp.command_status") if self.is_response else 0

    @property
    def sequence_number(self) -> int:
        return self.number("smpp.sequence_number")

    @property
    def is_response(self) -> bool:
        return bool(self.command_id & RESPONSE)

    def passed_over(self) -> set[int]:
        """The silent places that have no excuse in how tshark reads.

        It shows no command_status of a request, no NUL of an empty string, no body of a refusal, and of submit_multi
        and its response no count and no dest_flag.
        """
        places = set(self.silent)
        if not self.is_response:
            places -= COMMAND_STATUS
        elif self.command_status:
            places -= set(range(HEADER_OCTETS, len(self.octets)))
        excused = {0}
        if self.command_id & ~RESPONSE == SUBMIT_MULTI:
            excused |= {1, 2, len(self.all("smpp.destination_addr")) + len(self.all("smpp.dl_name"))}
        return {place for place in places if self.octets[place] not in excused}


class Reading(msgspec.Struct, frozen=True):
    """A whole capture: its PDUs in order, every complaint of tshark's, and how much TCP carried each way."""

    pdus: list[Dissected]
    complaints: list[str]
    carried_octets: dict[tuple[int, int], int]  # by stream and source port

    def faults(self) -> list[str]:
        """Everything that should not be: complaints, octets of no PDU, octets of a PDU in no field."""
        claimed: Counter[tuple[int, int]] = Counter()
        for pdu in self.pdus:
            claimed[pdu.stream, pdu.source_port] += len(pdu.octets)
        return [
            *self.complaints,
            *(
                f"stream {stream} from port {port}: {octets - claimed[stream, port]} octets are of no PDU"
                for (stream, port), octets in self.carried_octets.items()
                if octets != claimed[stream, port]
            ),
            *(
                f"frame {pdu.frame}: {places} of {pdu.octets.hex()} are in no field"
                for pdu in self.pdus
                if (places := sorted(pdu.passed_over()))
            ),
        ]


# --- taking one off loopback ------------------------------------------------------------------------------------------


def find_free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def capturing(port: int, path: Path) -> AsyncIterator[None]:
    """Capture all traffic of a port of loopback into the file `path`. Raises CannotRun, also when packets were lost."""
    check_tools()
    options = ("-q", "-i", INTERFACE, "-f", f"tcp port {port}", "-B", str(BUFFER_MEBIBYTES), "-w", str(path))
    dumpcap = Child("dumpcap", ("dumpcap", *options), directory=path.parent)
    try:
        await _wait_until_it_captures(dumpcap)
        yield
        await asyncio.sleep(SETTLE_SECONDS)
    finally:
        await dumpcap.stop()
    said = _said(dumpcap)
    counts = re.search(r"Packets received/dropped on interface .*: (\d+)/(\d+) ", said)
    if counts is None or counts[1] == "0" or counts[2] != "0":
        raise CannotRun(f"the capture is not complete. dumpcap says:\n{said}")


def check_tools() -> None:
    """Raise CannotRun where tshark or dumpcap is missing."""
    for tool in ("tshark", "dumpcap"):
        if shutil.which(tool) is None:
            raise CannotRun(f"{tool} is not here, or not ours to run; it comes with Debian's package tshark")


async def _wait_until_it_captures(dumpcap: Child) -> None:
    for _ in range(round(START_SECONDS / _LOOK_SECONDS)):
        # It names the file when the interface is open and the filter is set.
        if "File: " in _said(dumpcap):
            return
        if not dumpcap.running:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    raise CannotRun(
        f"nothing can be captured on {INTERFACE}: that takes root, or the rights of the group wireshark. "
        f"dumpcap says:\n{_said(dumpcap)}"
    )


def _said(child: Child) -> str:
    return child.log.read_text(encoding="utf-8", errors="replace")


# --- writing one by hand ----------------------------------------------------------------------------------------------


def write_capture(path: Path, segments: Iterable[bytes], *, port: int) -> None:
    """Write a capture in which a client sends these TCP segments, of at most 65,495 octets, to `port`."""
    with path.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, RAW_IP))
        sequence = 1
        for second, segment in enumerate(segments):
            packet = _packet(segment, port, sequence)
            file.write(struct.pack("=IIII", second, 0, len(packet), len(packet)) + packet)
            sequence += len(segment)


def _packet(segment: bytes, port: int, sequence: int) -> bytes:
    """Headers of IPv4 and TCP. The checksums are zero: tshark looks at none unless it is told to."""
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(segment), 0, 0, 64, 6, 0) + _ADDRESS + _ADDRESS
    tcp = struct.pack(">HHIIBBHHH", 40_000, port, sequence, 1, 5 << 4, 0x18, 0xFFFF, 0, 0)
    return ip + tcp + segment


# --- reading one ------------------------------------------------------------------------------------------------------


def read_capture(path: Path, *, port: int) -> Reading:
    """Let tshark read the traffic of `port` in a capture as SMPP. Raises CannotRun."""
    check_tools()
    command = ("tshark", "-n", "-r", str(path), "-d", f"tcp.port=={port},smpp", *PREFERENCES, "-T", "json", "-x")
    # No preferences of the user's, and times in UTC.
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(path.parent), "TZ": "UTC"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=READ_SECONDS, check=False)
    if done.returncode != 0:
        raise CannotRun(f"tshark ended with exit code {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    pdus: list[Dissected] = []
    complaints: list[str] = []
    carried: dict[tuple[int, int], int] = {}
    for packet in json.loads(_as_text(done.stdout), object_pairs_hook=tuple):
        layers: Pairs = dict(dict(packet)["_source"])["layers"]
        below = dict(leaf for name, layer in layers if name in {"frame", "tcp"} for leaf in _leaves(layer))
        frame = int(below["frame.number"])
        stream, source, destination = (int(below[f"tcp.{name}"]) for name in ("stream", "srcport", "dstport"))
        if length := int(below["tcp.len"]):
            # Relative sequence numbers begin at 1, and what is sent again has the number that it had.
            end = int(below["tcp.seq"]) - 1 + length
            carried[stream, source] = max(carried.get((stream, source), 0), end)
        complaints += [f"frame {frame}: {complaint}" for complaint in _complaints(layers)]
        pdus += [Dissected(frame, stream, source, destination, *found) for found in _pdus(layers)]
    return Reading(pdus, complaints, carried)


def moment(shown: str) -> datetime:
    """A time as tshark writes it: "Nov 21, 2026 23:30:00.000000000 UTC", or from 4.2 on in ISO 8601."""
    seconds = shown.partition(".")[0]
    form = "%b %d, %Y %H:%M:%S" if "," in seconds else "%Y-%m-%dT%H:%M:%S"
    return datetime.strptime(seconds, form).replace(tzinfo=UTC)


def _as_text(output: bytes) -> str:
    """UTF-8 in which the halves of a surrogate pair come one by one, as tshark 4.0 writes them, or as one character."""
    return output.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pdus(layers: Pairs) -> Iterator[tuple[bytes, tuple[tuple[str, str], ...], frozenset[int]]]:
    """Octets, fields and silent places of the PDUs that end in a packet. Their content follows them."""
    raw: list[Any] = []
    found: list[tuple[list[Any], Pairs, list[Pairs]]] = []
    for name, layer in layers:
        if name == "smpp_raw":
            raw = layer
        elif name == "smpp":
            found.append((raw, layer, []))
        elif name == CONTENT:
            found[-1][2].append(layer)
    for (octets, start, length, *_), pdu, contents in found:
        fields = tuple(leaf for layer in (pdu, *contents) for leaf in _leaves(layer))
        shown = {place - start for place in _places(pdu)}
        yield bytes.fromhex(octets), fields, frozenset(set(range(length)) - shown)


def _leaves(layer: Pairs) -> Iterator[tuple[str, str]]:
    """Every field that has a value, however deep."""
    for name, value in layer:
        if isinstance(value, tuple):
            yield from _leaves(value)
        elif isinstance(value, str):
            yield name, value


def _places(layer: Pairs) -> Iterator[int]:
    """Every place in the packet that a leaf shows: `NAME_raw`, with its place and size, stands before each `NAME`."""
    span = range(0)
    for name, value in layer:
        if isinstance(value, list):
            _, start, length, *_ = value
            span = range(start, start + length)
        elif isinstance(value, tuple):
            yield from _places(value)
        elif name:
            yield from span


def _complaints(layers: Pairs) -> Iterator[str]:
    """What is wrong with a packet: malformed, expert information from a warning up, octets of no protocol."""
    for name, layer in layers:
        if name.endswith("_raw") or name in BELOW:
            continue
        if name not in {"smpp", CONTENT} or not isinstance(layer, tuple):
            yield f"{name} {layer}"
            continue
        leaves = list(_leaves(layer))
        if any(leaf == "_ws.expert.severity" and int(value, 0) >= WARNING for leaf, value in leaves):
            yield f"{name} {leaves}"
        # tshark trusts its own idea of how long a parameter is, and passes over what the PDU says.
        lengths = [int(value) for leaf, value in leaves if leaf == "smpp.opt_param_len"]
        if lengths and sum(lengths) + 4 * len(lengths) != dict(layer)["smpp.opt_params_raw"][2]:
            yield f"parameters of {lengths} octets are not as long as they say"
