"""A byte stream cut into PDUs, in time linear in its length however it is chunked, and with a limit on each PDU."""

from struct import Struct
from typing import Final

from .errors import FramingError
from .wire import HEADER, HEADER_BYTES

_read_length: Final = Struct(">I").unpack_from


class Splitter:
    """Gathers bytes and gives whole PDUs. After a command_length that no PDU can have, it gives no more."""

    __slots__ = ("_max_pdu_bytes", "_partial", "_wanted", "error")

    def __init__(self, max_pdu_bytes: int) -> None:
        self._max_pdu_bytes: Final = max_pdu_bytes
        self._partial = bytearray()  # the beginning of a PDU whose end has not come
        self._wanted = HEADER_BYTES  # how many octets of it we need before looking at it again
        self.error: FramingError | None = None

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished PDU is held; less than the limit of one PDU."""
        return len(self._partial)

    def cut(self, data: bytes) -> list[bytes]:
        """Take `data` and return the PDUs that end in it, in order. Then look at `error`: it comes behind them."""
        if self.error is not None:
            return []
        if self._partial:
            # Octets are only appended until enough are here: a peer that sends one at a time costs no more than that.
            self._partial += data
            if len(self._partial) < self._wanted:
                return []
            data = bytes(self._partial)
            self._partial.clear()

        at, size = 0, len(data)
        if HEADER_BYTES <= size <= self._max_pdu_bytes and _read_length(data)[0] == size:
            return [data]  # one PDU and nothing else, as a quiet peer sends it
        pdus: list[bytes] = []
        self._wanted = HEADER_BYTES
        while size - at >= HEADER_BYTES:
            (length,) = _read_length(data, at)
            if not HEADER_BYTES <= length <= self._max_pdu_bytes:
                self._refuse(data, at, length)
                return pdus
            if size - at < length:
                self._wanted = length
                break
            pdus.append(data[at : at + length])
            at += length
        if at < size:
            self._partial += data[at:]
        return pdus

    def _refuse(self, data: bytes, at: int, length: int) -> None:
        _, command_id, _, sequence_number = HEADER.unpack_from(data, at)
        self.error = FramingError(
            f"command_length {length} is not {HEADER_BYTES} to {self._max_pdu_bytes}", command_id, sequence_number
        )
