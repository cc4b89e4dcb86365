"""The port: connections are accepted, each is served by a thread, and all are waited for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import structlog

from dicom_listener.address import Port

log = structlog.get_logger(__name__)

# Connections whose association is still to be asked for: a crowd of silent ones must neither fill
# the process with threads nor keep others out.
_MOST_PENDING = 64


class Connection:
    """A connection and where it stands.

    Parameters
    ----------
    socket
        Of TCP; TLS is put over it by its thread.
    address
        Of the peer.
    secure
        Whether it came by the port for TLS.
    """

    def __init__(self, socket: socket.socket, address: str, *, secure: bool) -> None:
        self.socket = socket
        self.address = address
        self.secure = secure
        self.pending = True
        self.since = time.monotonic()


Serve = Callable[[Connection], None]


class Server:
    """Sockets that listen, and the connections that came of them.

    Parameters
    ----------
    serve
        Serves one connection from its first byte to its last, in a thread of its own.
    """

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._threads: dict[Connection, threading.Thread] = {}
        self._listening: list[socket.socket] = []

    def listen(self, port: Port) -> None:
        """Accept the connections of a port from now on; other processes may do so too."""
        self._listening.append(port.socket)
        threading.Thread(target=self._accept, args=(port,), name="accept", daemon=True).start()

    def _accept(self, port: Port) -> None:
        while True:
            try:
                connected, address = port.socket.accept()
            except OSError as error:
                if not _listens(port.socket):
                    if port.socket in self._listening:
                        log.info("port_closed_by_another_process")
                    return
                # Out of descriptors or memory: those who wait are taken when there is room again.
                log.error("connection_not_accepted", error=str(error.strerror or error))
                time.sleep(0.1)
                continue
            # A socket of both families shows a peer of IPv4 as ::ffff:192.0.2.1.
            peer = str(address[0]).removeprefix("::ffff:")
            self._begin(Connection(connected, peer, secure=port.secure))

    def _begin(self, connection: Connection) -> None:
        thread = threading.Thread(
            target=self._run, args=(connection,), name="association", daemon=True
        )
        try:
            with self._lock:
                self._drop_oldest_pending()
                thread.start()
                self._threads[connection] = thread
        except RuntimeError as error:
            # No further thread can be had: who calls later is still to be accepted.
            log.error("connection_not_served", error=str(error))
            connection.socket.close()

    def _drop_oldest_pending(self) -> None:
        pending = [item for item in self._threads if item.pending]
        if len(pending) >= _MOST_PENDING:
            oldest = min(pending, key=lambda item: item.since)
            oldest.pending = False
            log.warning("silent_connection_dropped", address=oldest.address)
            _interrupt(oldest)

    def _run(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        except Exception:
            # Other senders keep their listener.
            log.exception("association_failed")
        finally:
            with contextlib.suppress(OSError):
                connection.socket.close()
            with self._lock:
                del self._threads[connection]

    def refuse(self) -> None:
        """Accept no connection any more."""
        listening, self._listening = self._listening, []
        for each in listening:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts, in every process
            each.close()

    def wait(self, seconds: float) -> bool:
        """Wait until every connection has ended, and say whether that came true."""
        deadline = time.monotonic() + seconds
        while (threads := self._open_threads()) and time.monotonic() < deadline:
            threads[0].join(max(0.0, deadline - time.monotonic()))
        return not threads

    def interrupt(self) -> None:
        """Let what is still open meet the end of its connection."""
        with self._lock:
            for connection in self._threads:
                _interrupt(connection)

    def _open_threads(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._threads.values())


def _listens(listening: socket.socket) -> bool:
    try:
        return bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False  # it is closed


def _interrupt(connection: Connection) -> None:
    # That of an SSLSocket would have it forget its keys, and what is still sent go out in clear.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection.socket, socket.SHUT_RD)
