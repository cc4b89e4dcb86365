"""The listener as a process, or as several on one port: from its settings to the signal."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import FrameType

import structlog

from dicom_listener.address import Port, open_ports
from dicom_listener.listener import Listener, listener_name
from dicom_listener.tls import tls_context
from screening import logs
from screening.archive.archive import Archive
from screening.archive.opening import open_archive
from screening.errors import NightreadError
from screening.queue.announcement import Announcer
from screening.queue.app import make_app
from screening.records import association as associations
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.port import watched

log = structlog.get_logger(__name__)

_ROUND_SECONDS = 0.5
_DEBRIS_SECONDS = 5.0


def run(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT.

    Raises
    ------
    NightreadError
        If the database, the archive or the port cannot be had.
    """
    logs.configure(settings)
    threading.excepthook = _log_dead_thread
    if settings.tls_port:
        # Before the ports are open: whoever waits for one takes the listener for ready then.
        tls_context(settings)
    ports = open_ports(settings)
    # Only now: the open associations of a listener that runs already are not lost.
    _close_lost_associations(settings)
    if settings.listener_processes > 1:
        _run_several(settings, ports)
    else:
        _listen(settings, ports, "", _stop_asked())


def _close_lost_associations(settings: Settings) -> None:
    """Close what an earlier run left open."""
    records = Records(settings.records_url)
    try:
        records.check_schema()
        with records.begin() as session:
            now = dt.datetime.now(dt.UTC)
            associations.close_lost_associations(session, listener_name(settings), now)
    finally:
        records.close()


def _run_several(settings: Settings, ports: Sequence[Port]) -> None:
    """Let processes share the ports: whichever waits the longest gets the next connection.

    With a socket for each, the kernel would choose by the sender's address, and leave one idle.
    """
    asked = _stop_asked()
    parent = os.getpid()
    children = {
        _fork(settings, ports, f"#{number}", lambda: asked() or os.getppid() != parent)
        for number in range(settings.listener_processes)
    }
    for port in ports:
        port.socket.close()
    log.info("listener_processes", pids=sorted(children))
    # The thread starts once all are forked, so that no child inherits its locks.
    records = Records(settings.records_url)
    archive = open_archive(settings)
    with _watched(settings, records, archive):
        failed = _wait_for(children, asked)
    records.close()
    if failed and not asked():
        raise NightreadError("a listening process ended unasked, and the others were stopped")


def _watched(
    settings: Settings, records: Records, archive: Archive
) -> AbstractContextManager[None]:
    """Answer a monitor: without its database or a place for images a listener refuses them."""
    checks = {
        "records": records.check_schema,
        "archive": archive.require_there,
        "disk": archive.require_space,
    }
    return watched(settings, settings.listener_watch_port, records, checks)


def _wait_for(children: set[int], asked: Callable[[], bool]) -> bool:
    """Wait for all to end, and say whether one did so unasked or failed."""
    failed = False
    told = False
    while children:
        if (asked() or failed) and not told:
            told = True
            for child in children:
                os.kill(child, signal.SIGTERM)
        threading.Event().wait(_ROUND_SECONDS / 5)
        for child in list(children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                children.discard(child)
                if not told:
                    # It has closed the ports for all, or the kernel killed it: start afresh.
                    failed = True
                    log.error("listening_process_ended", pid=child, how=_how_it_ended(status))
                failed = failed or status != 0
    return failed


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _fork(settings: Settings, ports: Sequence[Port], number: str, asked: Callable[[], bool]) -> int:
    """Start a process that listens; it shares nothing with this one but settings and ports."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        _listen(settings, ports, number, asked)
        status = 0
    except NightreadError as error:
        log.error("listener_failed", error=str(error))
    except Exception:
        log.exception("listener_failed")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _listen(
    settings: Settings, ports: Sequence[Port], number: str, asked: Callable[[], bool]
) -> None:
    """Listen until asked to stop; the first of several processes announces for all."""
    records = Records(settings.records_url)
    archive = open_archive(settings)
    archive.require_there()
    announcer = Announcer(
        records,
        make_app(settings.broker_url, lease_seconds=settings.lease_seconds),
        sweep=dt.timedelta(seconds=settings.sweep_seconds),
    )
    due = threading.Event()
    listener = Listener(settings, archive, records, due, number=number)
    listener.start(ports)
    first = number in ("", "#0")
    # Of several processes the parent answers.
    with nullcontext() if number else _watched(settings, records, archive):
        while not asked():
            due.wait(_ROUND_SECONDS)
            due.clear()
            if first:
                _round(announcer, archive)
        listener.stop(settings.drain_seconds)
    _round(announcer, archive)
    records.close()
    log.info("listener_stopped")


def _stop_asked() -> Callable[[], bool]:
    """Take SIGTERM and SIGINT for the wish to stop, and return what says whether it was said."""
    # A plain flag: the lock of an Event may be held by the very line that is interrupted.
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return lambda: stopping


def _log_dead_thread(dead: threading.ExceptHookArgs) -> None:
    """Log a thread that died of an error by its type and place, in our form."""
    error = (dead.exc_type, dead.exc_value, dead.exc_traceback)
    log.error("thread_died", exc_info=error)


def _round(announcer: Announcer, archive: Archive) -> None:
    """Announce what is due and clear debris; what fails now is tried in the next round."""
    try:
        announcer.announce_due()
        removed = archive.clear_incoming(_DEBRIS_SECONDS)
    except (NightreadError, OSError) as error:
        log.error("round_failed", error=str(error))
    else:
        if removed:
            log.info("unfinished_files_removed", files=removed)
