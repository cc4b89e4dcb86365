"""Frames for the browser: decoded in processes of their own, and kept for a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from screening.dicom.decoders import Decoders
from screening.errors import NightreadError
from worklist.frame import frame_bytes, picture_bytes

_MOST_WAITING = 24
_PROCESSES = 2
_MOST_KEPT_BYTES = 200_000_000

_Made = TypeVar("_Made")


class BusyError(NightreadError):
    """More is asked for at once than there are threads to spare."""


class Frames:
    """Decodes images on demand; one that crashes or hangs costs its process and nothing else.

    Parameters
    ----------
    longest_seconds
        What one image may take.
    most_bytes
        Memory that it may take.
    """

    def __init__(self, longest_seconds: float, most_bytes: int) -> None:
        self._decoders = Decoders(longest_seconds, most_bytes, _PROCESSES)
        self._lock = threading.Lock()
        # Whoever waits holds one of the desk's forty threads: most of them, and never all.
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def warm_up(self) -> None:
        """Start the processes now: the first image would wait seconds for them."""
        self._decoders.warm_up()

    def frame(self, path: Path) -> bytes:
        """Return a frame as :func:`worklist.frame.frame_bytes` does.

        Raises
        ------
        PixelError
            If it cannot be shown, crashed its process or took too long.
        BusyError
            If too many wait for an image.
        """
        key = path.name
        with self._lock:
            if key in self._kept and path.exists():
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._run(frame_bytes, path)
        with self._lock:
            self._kept[key] = made
            while sum(map(len, self._kept.values())) > _MOST_KEPT_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return made

    def picture(self, path: Path, longer_side: int) -> bytes:
        """Return a frame as :func:`worklist.frame.picture_bytes` does, or raise as `frame`."""
        return self._run(picture_bytes, path, longer_side)

    def close(self) -> None:
        """End the processes."""
        self._decoders.close()

    def _run(self, make: Callable[..., _Made], *arguments: object) -> _Made:
        if not self._waiting.acquire(blocking=False):
            raise BusyError("too many images are asked for at once: try again in a moment")
        try:
            return self._decoders.run(make, *arguments)
        finally:
            self._waiting.release()
