"""Frames for the browser: decoded in processes of their own, and kept for a moment."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures import TimeoutError as LateError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from screening.errors import NightreadError
from worklist.frame import (
    UnshowableError,
    begin,
    frame_bytes,
    import_decoders,
    picture_bytes,
)

_MOST_WAITING = 24
_PROCESSES = 2
_MOST_KEPT_BYTES = 200_000_000

_Made = TypeVar("_Made")


class BusyError(NightreadError):
    """More is asked for at once than there are threads to spare."""


class _CrashedError(Exception):
    """The process that was at work on an image ended."""


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
        self._seconds = longest_seconds
        self._most_bytes = most_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()
        # An image's time begins when a process is free for it.
        self._turns = threading.BoundedSemaphore(_PROCESSES)
        # Whoever waits holds one of the desk's forty threads: most of them, and never all.
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def warm_up(self) -> None:
        """Start the processes now: the first image would wait seconds for them."""
        pool = self._open()
        for _ in range(_PROCESSES):
            pool.submit(import_decoders)

    def frame(self, path: Path) -> bytes:
        """Return a frame as :func:`worklist.frame.frame_bytes` does.

        Raises
        ------
        UnshowableError
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
        self._give_up()

    def _run(self, make: Callable[..., _Made], *arguments: object) -> _Made:
        if not self._waiting.acquire(blocking=False):
            raise BusyError("too many images are asked for at once: try again in a moment")
        try:
            with self._turns:
                return self._in_turn(make, *arguments)
        finally:
            self._waiting.release()

    def _in_turn(self, make: Callable[..., _Made], *arguments: object) -> _Made:
        try:
            return self._try(self._open(), make, *arguments)
        except _CrashedError:
            pass  # perhaps another image's crash, which ends what is at work beside it
        alone = self._make(1)
        try:
            return self._try(alone, make, *arguments)
        except _CrashedError:
            raise UnshowableError("its decoder crashed") from None
        finally:
            _end(alone)

    def _try(
        self, pool: ProcessPoolExecutor, make: Callable[..., _Made], *arguments: object
    ) -> _Made:
        try:
            return pool.submit(make, *arguments).result(self._seconds)
        except LateError:
            self._give_up(pool)
            raise UnshowableError(
                f"decoding took more than {self._seconds:g} s (NIGHTREAD_READ_SECONDS)"
            ) from None
        except MemoryError:
            raise UnshowableError("it needs more memory than NIGHTREAD_READ_GIGABYTES") from None
        except (BrokenProcessPool, CancelledError, RuntimeError):  # it ended, or is ending
            self._give_up(pool)
            raise _CrashedError from None

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = self._make(_PROCESSES)
            return self._pool

    def _make(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin,
            initargs=(os.getpid(), self._most_bytes),
        )

    def _give_up(self, pool: ProcessPoolExecutor | None = None) -> None:
        """End a pool's processes, what hangs in them included, unless another did already."""
        with self._lock:
            if pool is not None and pool is not self._pool:
                return
            given_up, self._pool = self._pool, None
        if given_up is not None:
            _end(given_up)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
