"""Takes messages in frames of the HL7 Minimal Lower Layer Protocol, release 1, and answers each."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address

import structlog

from pacs.adt import Answer

log = structlog.get_logger(__name__)

_BEGIN, _END = b"\x0b", b"\x1c\r"
_MOST_BYTES = 262_144
"""Of a message. One of A40 has a few hundred."""
_MOST_CONNECTIONS = 16
_MESSAGE_SECONDS = 30.0
"""For the rest of a message whose first byte came. Between messages a line may be silent."""


class MllpServer:
    """Answers the messages of a few lines, those of one line in their order.

    Parameters
    ----------
    answer
        What is answered to the content of a frame; called in a thread, one at a time.
    networks
        From where lines may come; empty for anywhere.
    message_seconds
        How long a message may take from its first byte.
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
        self._lines: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

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
        async with server:
            await ended.wait()
        async with self._turn:
            for line in list(self._lines):
                line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        self._lines.add(line)
        try:
            if not self._may(peer):
                log.warning("adt_line_refused", peer=peer, setting="NIGHTREAD_ADT_NETWORKS")
            elif len(self._lines) > _MOST_CONNECTIONS:
                log.warning("adt_line_refused", peer=peer, limit=_MOST_CONNECTIONS)
            else:
                await self._follow(reader, writer, peer)
        except (OSError, asyncio.IncompleteReadError):
            log.info("adt_line_lost", peer=peer)
        except asyncio.CancelledError:
            pass  # we end
        finally:
            self._lines.discard(line)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    def _may(self, peer: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    async def _follow(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str
    ) -> None:
        while first := await reader.read(1):
            if first in b"\r\n":
                continue  # some send a line's end between frames
            if first != _BEGIN:
                log.warning("adt_no_frame", peer=peer)
                return
            try:
                async with asyncio.timeout(self._seconds):
                    framed = await reader.readuntil(_END)
            except (TimeoutError, asyncio.LimitOverrunError) as error:
                log.warning("adt_message_broken", peer=peer, error=type(error).__name__)
                return
            async with self._turn:
                answered = await asyncio.to_thread(self._answer, framed[: -len(_END)])
                writer.write(_BEGIN + answered.content + _END)
                await writer.drain()
            log.info(
                "adt_answered",
                peer=peer,
                code=answered.code,
                adt_event=answered.event[:8],
                changes=answered.changes,
                why=answered.why,
            )
