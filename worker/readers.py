"""A scoring process's readers: images are decoded while others are scored, and none can harm it.

A reader that crashes, hangs or runs out of memory is ended and started again; the image on which it
did so has failed in this attempt, and no other has.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TypeVar

import structlog

from models.input_settings import InputSettings
from screening.settings import PREFIX, Settings
from worker.message import send_request, send_start, take_reading, take_ready
from worker.reading import Failed, Reading, Request

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

# It imports torch and MONAI before it can answer, which takes seconds, on a busy machine many.
_START_SECONDS = 120.0


class Readers:
    """Some reader processes, and who is free.

    Parameters
    ----------
    settings
        Limits of time and memory, and the age limit.
    inputs
        What each classifier sees.
    count
        How many read at the same time.
    """

    def __init__(self, settings: Settings, inputs: Sequence[InputSettings], count: int = 1) -> None:
        self._readers = [_Reader(settings, inputs) for _ in range(count)]
        self._free: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
        for reader in self._readers:
            self._free.put(reader)
        # Threads that live as long as this: a reader ends with the thread that started it.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="reader")

    def warm_up(self) -> None:
        """Start the readers now, in the background: it takes seconds."""
        for _ in self._readers:
            self._threads.submit(self._with_free, _Reader.warm_up)

    def read(self, request: Request) -> Future[Reading]:
        """Have an image read; the result is there when a reader is free and done with it."""
        # What the lines of the log are bound to goes along.
        bound = contextvars.copy_context()
        return self._threads.submit(bound.run, self._with_free, lambda reader: reader.read(request))

    def _with_free(self, do: Callable[[_Reader], _Result]) -> _Result:
        reader = self._free.get()
        try:
            return do(reader)
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """Let what is being read come to its end, and end the readers."""
        self._threads.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.end()


def _signal_name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")


def _environment() -> dict[str, str]:
    """Return what a reader may know: no settings, and no credentials of database or store."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "AWS_"))
    }
    return ours | {"OMP_NUM_THREADS": "1"}


class _Reader:
    """One process, started when it is first needed and after each of its ends."""

    def __init__(self, settings: Settings, inputs: Sequence[InputSettings]) -> None:
        self._settings = settings
        self._inputs = inputs
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    def warm_up(self) -> None:
        if self._line is None:
            try:
                self._start()
            except Exception:
                self.end()  # the first image will tell

    def read(self, request: Request) -> Reading:
        try:
            line = self._line or self._start()
        except Exception as error:
            # It is not the image's fault: it waits until the machine can read again.
            log.error("reader_not_started", error=type(error).__name__, how=self._how_it_ended())
            self.end()
            return Failed("no process to read images could be started", counts=False)
        try:
            with self._limit() as is_over:
                send_request(line, request)
                return take_reading(line)
        except (EOFError, OSError):
            if is_over.is_set():
                limit = self._settings.read_seconds
                why = f"it took longer than NIGHTREAD_READ_SECONDS ({limit:g} s)"
            else:
                why = f"its reader {self._how_it_ended()}"
        except Exception:
            # Whatever came over the line is what an image made of its reader.
            why = "its reader answered nonsense"
        self.end()
        log.error("reader_ended", sop_instance_uid=request.sop_instance_uid, why=why)
        return Failed(f"{why} while reading")

    @contextlib.contextmanager
    def _limit(self) -> Iterator[threading.Event]:
        """End the process when the block takes too long, wherever it is, in mid-answer perhaps."""
        is_over, process = threading.Event(), self._process
        assert process is not None

        def end() -> None:
            is_over.set()
            process.kill()

        timer = threading.Timer(self._settings.read_seconds, end)
        timer.start()
        try:
            yield is_over
        finally:
            timer.cancel()
            timer.join()
        if is_over.is_set():
            raise TimeoutError  # it ended just now: the next image must not find it dead

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        self._line = ours
        settings = self._settings
        limit = str(int(settings.read_gigabytes * 1e9))
        with theirs:
            # -P: a folder named models or dl where the operator stands must not become a package.
            us = [sys.executable, "-P", "-m", "worker.reader"]
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [*us, str(theirs.fileno()), str(os.getpid()), limit],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        send_start(ours, self._inputs, settings.minimum_age_years)
        if not ours.poll(_START_SECONDS):
            raise TimeoutError
        take_ready(ours)
        return ours

    def _how_it_ended(self) -> str:
        if self._process is None:
            return "was not started"
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(5)
            return f"died of {_signal_name(-code)}" if code < 0 else f"ended with {code}"
        return "closed its line"

    def end(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
