"""A wire between a client and a server that is cut, silent, changes bytes, or answers by itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class WireFault:
    """What goes wrong on each connection that is opened while it holds.

    Attributes
    ----------
    cut_request, cut_answer
        After so many bytes of that direction the connection is reset.
    flip_request, flip_answer
        The byte at this place, counted from the connection's first, is changed.
    silent
        Nothing is handed on, and nothing is answered.
    answer
        Said at once, instead of what the server would say.
    """

    cut_request: int | None = None
    cut_answer: int | None = None
    flip_request: int | None = None
    flip_answer: int | None = None
    silent: bool = False
    answer: bytes = b""


def http_error(status: str, code: str) -> bytes:
    """Return an answer of S3 that is an error."""
    body = f"<Error><Code>{code}</Code><Message>said by the wire</Message></Error>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class FaultyWire:
    """Listens on a port of its own, and hands on to a server what comes there."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._fault = WireFault()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def break_(self, **what: object) -> None:
        """Let this go wrong from now on; what is open is closed."""
        self._fault = WireFault(**what)  # type: ignore[arg-type]
        self._drop_all()

    def mend(self) -> None:
        self.break_()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._drop_all()
        self._thread.join(5)

    def _drop_all(self) -> None:
        while self._open:
            _reset(self._open.pop())

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self._fault), daemon=True).start()

    def _serve(self, client: socket.socket, fault: WireFault) -> None:
        self._open.append(client)
        if fault.silent:
            return
        if fault.answer:
            self._say(client, fault.answer)
            return
        server = socket.create_connection(("127.0.0.1", self._server_port))
        self._open.append(server)
        back = (server, client, fault.cut_answer, fault.flip_answer)
        threading.Thread(target=_hand_on, args=back, daemon=True).start()
        _hand_on(client, server, fault.cut_request, fault.flip_request)

    def _say(self, client: socket.socket, answer: bytes) -> None:
        with contextlib.suppress(OSError):
            asked = client.recv(1 << 20)
            # To HEAD the body is left out, RFC 9110 9.3.2.
            head = asked.startswith(b"HEAD ") and b"\r\n\r\n" in answer
            client.sendall(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head else answer)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                pass
        client.close()


def _hand_on(
    source: socket.socket, target: socket.socket, cut: int | None, flip: int | None
) -> None:
    """Hand on in one direction to its end, or to its fault."""
    passed = 0
    try:
        while piece := source.recv(1 << 14):
            if flip is not None and passed <= flip < passed + len(piece):
                at = flip - passed
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
            if cut is not None and passed + len(piece) > cut:
                target.sendall(piece[: cut - passed])
                raise ConnectionResetError
            target.sendall(piece)
            passed += len(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _reset(source)
        _reset(target)


def _reset(connection: socket.socket) -> None:
    """Close as a broken wire does, without the end that TCP says."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
