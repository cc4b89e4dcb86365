"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second for one at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Shutdown:
    """Whether somebody asked us to end.

    A plain flag that is looked at a few times a second: an event's lock could be held by the very
    line that the signal interrupts.
    """

    def __init__(self) -> None:
        self.requested = False

    def request(self, *_: object) -> None:
        """Take a signal; a second one interrupts whatever takes so long."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def on_signals() -> Iterator[Shutdown]:
    """Take SIGINT and SIGTERM for a while."""
    shutdown = Shutdown()
    before = {number: signal.signal(number, shutdown.request) for number in _SIGNALS}
    try:
        yield shutdown
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
