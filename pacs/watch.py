"""A watch over an association: one on which nothing moves any more is cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from pynetdicom import evt
from pynetdicom.events import Event, EventHandlerType

_LOOK_SECONDS = 0.5


class Watch(threading.Thread):
    """Cuts a connection when no whole PDU has come or gone for a while, or when somebody says so.

    pynetdicom's own limits do not end a call that waits in the system for the rest of a PDU, or for
    room in a buffer that nobody empties.

    Parameters
    ----------
    longest_silence
        In seconds.
    cut
        Set by whoever wants the association to end now; ``None`` where nobody may.
    """

    def __init__(self, longest_silence: float, cut: threading.Event | None = None) -> None:
        super().__init__(name="association watch", daemon=True)
        self._longest_silence = longest_silence
        self._cut = cut
        self._line: socket.socket | None = None
        self._moved = time.monotonic()
        self._ended = threading.Event()

    def over(self, line: socket.socket) -> None:
        """Begin to watch a connection."""
        self._line = line
        self._moved = time.monotonic()
        self.start()

    @property
    def handlers(self) -> list[EventHandlerType]:
        """By which it hears of each PDU."""
        return [(evt.EVT_DATA_SENT, self._note), (evt.EVT_DATA_RECV, self._note)]

    def _note(self, event: Event) -> None:
        self._moved = time.monotonic()

    def run(self) -> None:
        """Look, until `end`."""
        while not self._ended.wait(_LOOK_SECONDS):
            is_silent = time.monotonic() - self._moved > self._longest_silence
            if is_silent or (self._cut is not None and self._cut.is_set()):
                self.cut()
                return

    def cut(self) -> None:
        """End the connection at once: whoever waits on it hears of it."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()
