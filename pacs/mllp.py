"""Takes messages in frames of the HL7 Minimal Lower Layer Protocol, release 1, and answers each."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

import structlog

from pacs.adt import Answer

log = structlog.get_logger(__name__)

_BEGIN, _END = b"\x0b", b"\x1c\r"
_MOST_BYTES = 262_144
"""Of a message. One of A40 has a few hundred."""
_MOST_CONNECTIONS = 16
_MESSAGE_SECONDS = 30.0
"""For the rest of a message whose first byte came, and for its answer to be read. Between messages
a line may be silent."""
_SILENCE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""Two in seconds, and how many times. A sender that loses its power says no good-bye, and its line
would hold a place for two hours, as kernels wait by default (tcp(7))."""
_CLOSING_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class _Line:
    """A connection. ``silent_since`` is ``None`` while a message of it is acted upon."""

    peer: str
    task: asyncio.Task[None]
    silent_since: float | None


class MllpServer:
    """Answers the messages of a few lines, those of one line in their order.

    Parameters
    ----------
    answer
        What is answered to the content of a frame; called in a thread, one at a time.
    networks
        From where lines may come; empty for anywhere.
    message_seconds
        How long a message may take from its first byte, and its answer until it is read.
    """

    def __init__(
        self,
        answer: Callable[[bytes], Answer],
        networks: tuple[IPv4Network | IPv6Network, ...] = (),
        *,
        message_seconds: float = _MESSAGE_SECONDS,
    ) -> None:
        self._answer = answer
        self._networks = networks
        self._seconds = message_seconds
        self._lines: set[_Line] = set()
        self._turn = asyncio.Lock()
        self._ends = False

    async def serve(
        self, host: str, port: int, ended: asyncio.Event, tls: ssl.SSLContext | None = None
    ) -> None:
        """Serve until ``ended``; a message at hand is answered first.

        Raises
        ------
        OSError
            If the port cannot be had.
        """
        server = await asyncio.start_server(self._accept, host, port, limit=_MOST_BYTES, ssl=tls)
        log.info("adt_ready", host=host, port=port, tls=tls is not None)
        try:
            await ended.wait()
        finally:
            # Its `wait_closed` would wait for the lines, from Python 3.12 on.
            server.close()
        self._ends = True
        lines = list(self._lines)
        for line in lines:
            if line.silent_since is not None:
                line.task.cancel()
        await asyncio.gather(*(line.task for line in lines), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        line = _Line(peer, task, _time())
        try:
            if self._may(peer) and self._has_place(peer):
                self._lines.add(line)
                _keep_alive(writer)
                await self._follow(reader, writer, line)
        except (OSError, asyncio.IncompleteReadError):
            log.info("adt_line_lost", peer=peer)
        except asyncio.CancelledError:
            pass  # we end, or another needs its place
        finally:
            self._lines.discard(line)
            await _close(writer)

    def _has_place(self, peer: str) -> bool:
        """Say whether one more line can be taken; that which was silent for longest makes room.

        What a sender left behind when it was started anew would shut out its new lines else.
        """
        if len(self._lines) < _MOST_CONNECTIONS:
            return True
        silent = [(since, line) for line in self._lines if (since := line.silent_since) is not None]
        if not silent:
            log.warning("adt_line_refused", peer=peer, limit=_MOST_CONNECTIONS)
            return False
        _, oldest = min(silent, key=lambda each: each[0])
        log.warning("adt_line_replaced", peer=oldest.peer, limit=_MOST_CONNECTIONS)
        self._lines.discard(oldest)
        oldest.task.cancel()
        return True

    def _may(self, peer: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        if any((mapped or address) in network for network in self._networks):
            return True
        log.warning("adt_line_refused", peer=peer, setting="NIGHTREAD_ADT_NETWORKS")
        return False

    async def _follow(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line
    ) -> None:
        while not self._ends and (first := await reader.read(1)):
            line.silent_since = _time()
            if first in b"\r\n":
                continue  # some send a line's end between frames
            if first != _BEGIN:
                log.warning("adt_no_frame", peer=line.peer)
                return
            try:
                async with asyncio.timeout(self._seconds):
                    framed = await reader.readuntil(_END)
            except (TimeoutError, asyncio.LimitOverrunError) as error:
                log.warning("adt_message_broken", peer=line.peer, error=type(error).__name__)
                return
            writer.write(_BEGIN + await self._acted_upon(framed[: -len(_END)], line) + _END)
            try:
                async with asyncio.timeout(self._seconds):
                    await writer.drain()
            except TimeoutError:
                log.warning("adt_answer_not_read", peer=line.peer)
                return

    async def _acted_upon(self, content: bytes, line: _Line) -> bytes:
        """Do what a message says, when it is its turn, and return the answer."""
        line.silent_since = None
        async with self._turn:
            answered = await asyncio.to_thread(self._answer, content)
        line.silent_since = _time()
        log.info(
            "adt_answered",
            peer=line.peer,
            code=answered.code,
            adt_event=answered.event[:8],
            changes=answered.changes,
            why=answered.why,
        )
        return answered.content


def _time() -> float:
    return asyncio.get_running_loop().time()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Notice within half a minute that nobody is at the other end, and let no answer lie here."""
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _SILENCE:
        line.setsockopt(socket.IPPROTO_TCP, option, value)
    writer.transport.set_write_buffer_limits(0)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a line; what its peer does not read is thrown away."""
    writer.close()
    try:
        async with asyncio.timeout(_CLOSING_SECONDS):
            await writer.wait_closed()
    except (OSError, asyncio.CancelledError):
        pass
    finally:
        writer.transport.abort()
