"""Processes that decode images: one that crashes, hangs or asks for all memory harms nobody else.

Here they answer what a person or a PACS asks for, one image at a time; the worker reads ahead with
processes of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures import TimeoutError as LateError
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from screening.errors import PixelError

_Made = TypeVar("_Made")


class _CrashedError(Exception):
    """The process that was at work on an image ended."""


class Decoders:
    """Some processes, started when they are first needed and after each of their ends.

    Parameters
    ----------
    longest_seconds
        What one image may take.
    most_bytes
        Memory that it may take.
    count
        How many are at work at the same time.
    """

    def __init__(self, longest_seconds: float, most_bytes: int, count: int = 1) -> None:
        self._seconds = longest_seconds
        self._most_bytes = most_bytes
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()
        # An image's time begins when a process is free for it.
        self._turns = threading.BoundedSemaphore(count)

    def warm_up(self) -> None:
        """Start the processes now: the first image would wait seconds for them."""
        pool = self._open()
        for _ in range(self._count):
            pool.submit(_import_decoders)

    def run(self, make: Callable[..., _Made], *arguments: object) -> _Made:
        """Return what a function of a module makes of some arguments, made in a process.

        Raises
        ------
        PixelError
            If it crashed its process, took too long or too much memory; and whatever the function
            raises.
        """
        with self._turns:
            try:
                return self._try(self._open(), make, *arguments)
            except _CrashedError:
                pass  # perhaps another image's crash, which ends what is at work beside it
            alone = self._make(1)
            try:
                return self._try(alone, make, *arguments)
            except _CrashedError:
                raise PixelError("its decoder crashed") from None
            finally:
                _end(alone)

    def close(self) -> None:
        """End the processes."""
        self._give_up()

    def _try(
        self, pool: ProcessPoolExecutor, make: Callable[..., _Made], *arguments: object
    ) -> _Made:
        try:
            running = pool.submit(make, *arguments)
        except RuntimeError:  # it has ended, or is ending
            self._give_up(pool)
            raise _CrashedError from None
        try:
            return running.result(self._seconds)
        except LateError:
            self._give_up(pool)
            raise PixelError(
                f"decoding took more than {self._seconds:g} s (NIGHTREAD_READ_SECONDS)"
            ) from None
        except MemoryError:
            raise PixelError("it needs more memory than NIGHTREAD_READ_GIGABYTES") from None
        except (BrokenProcessPool, CancelledError):
            self._give_up(pool)
            raise _CrashedError from None

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = self._make(self._count)
            return self._pool

    def _make(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
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


def _begin(parent: int, most_bytes: int) -> None:
    """End with the process that started this one, and stay below so much memory of our own."""
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _follow(parent: int) -> None:
    """Ask, and let no signal tell: the kernel's comes when the thread ends that started us."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _import_decoders() -> None:
    """Import what decoding needs, so that the first image does not wait for it."""
    from PIL import Image  # noqa: F401

    from screening.dicom.frame import installed_decoders

    installed_decoders()
