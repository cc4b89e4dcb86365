"""The bytes of one connection: PDU headers, what is in them, and answers.

pynetdicom's reactor polls its socket and its queues and sleeps in between, about four milliseconds
for each small image. Here a thread waits in the socket itself, and what arrives is handed on in
pieces out of one buffer: a PDU of any length costs no memory.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

# Two PDUs of 128 KB, the longest that DCMTK sends; more was no faster.
_BUFFER_BYTES = 1 << 18
_PDU_HEADER = struct.Struct(">BxI")
_ABORT = struct.pack(">BxIxxBB", 0x07, 4, 2, 0)


class WireError(Exception):
    """The connection is over; the message says why, for the record of the association."""


class Wire:
    """One end of a connection, which one thread reads and writes.

    Parameters
    ----------
    connection
        Of TCP or TLS.
    stall_seconds
        How long the peer may be silent in the middle of a PDU, or leave our answer unread.
    """

    def __init__(self, connection: socket.socket, stall_seconds: float) -> None:
        self._connection = connection
        self._stall_seconds = stall_seconds
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def next_pdu(self, patience_seconds: float) -> tuple[int, int] | None:
        """Wait for a PDU and return its type and the length of what follows, PS3.8 9.3.1.

        Parameters
        ----------
        patience_seconds
            How long the peer may be silent before it.

        Returns
        -------
        tuple of int, or None
            ``None`` where the peer has closed the connection.

        Raises
        ------
        WireError
            If the connection breaks or is silent for longer.
        """
        if self._start == self._end and not self._fill(patience_seconds, may_end=True):
            return None
        kind, length = _PDU_HEADER.unpack(self.read(_PDU_HEADER.size))
        return int(kind), int(length)

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes, which are held in memory: the caller bounds them."""
        return b"".join(bytes(piece) for piece in self.pieces(count))

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Yield exactly so many bytes as they arrive; a piece holds until the next is asked for.

        Raises
        ------
        WireError
            If the connection breaks or stalls.
        """
        while count:
            if self._start == self._end:
                self._fill(self._stall_seconds)
            stop = min(self._end, self._start + count)
            piece = self._view[self._start : stop]
            count -= len(piece)
            self._start = stop
            yield piece

    def _fill(self, seconds: float, *, may_end: bool = False) -> bool:
        try:
            self._connection.settimeout(seconds)
            got = self._connection.recv_into(self._buffer)
        except TimeoutError:
            raise WireError(f"it was silent for {seconds:g} seconds") from None
        except OSError as error:
            raise WireError(f"the connection broke ({error.strerror or error})") from None
        if not got and not may_end:
            raise WireError("the connection was closed in the middle of a message")
        self._start, self._end = 0, got
        return bool(got)

    def send(self, content: bytes) -> None:
        """Send bytes, all of them.

        Raises
        ------
        WireError
            If the connection breaks, or the peer does not read.
        """
        try:
            self._connection.settimeout(self._stall_seconds)
            self._connection.sendall(content)
        except OSError as error:
            raise WireError(f"the connection broke ({error.strerror or error})") from None

    def abort(self) -> None:
        """Send an A-ABORT of the service provider, PS3.8 9.3.8, if anybody is there to read it."""
        with suppress(WireError):
            self.send(_ABORT)
