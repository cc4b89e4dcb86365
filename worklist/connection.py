"""A browser's connection: it may not wait for ever, and there are only so many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512
"""At once; a process has 1024 files by default."""

_PATIENCE_SECONDS = 20.0


class Connection(H11Protocol):
    """Closes where nothing comes of it: a request that never ends holds its place for ever."""

    _watch: asyncio.TimerHandle | None = None
    _seen: object = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch = self.loop.call_later(_PATIENCE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close it if no request came, or none came to its end, since the last look."""
        cycle = self.cycle
        waits = cycle is None or cycle.response_complete or cycle.more_body
        if waits and self._seen is cycle:
            self.transport.close()
            return
        self._seen = cycle
        self._watch = self.loop.call_later(_PATIENCE_SECONDS, self._look)
