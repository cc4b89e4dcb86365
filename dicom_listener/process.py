"""The listener as a process: from its settings to the signal that ends it."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from types import FrameType

import structlog

from dicom_listener.listener import Listener
from screening import logs
from screening.archive.archive import Archive
from screening.errors import NightreadError
from screening.queue.announcement import Announcer
from screening.queue.app import make_app
from screening.records.engine import Records
from screening.settings import Settings

log = structlog.get_logger(__name__)

_ROUND_SECONDS = 0.5
_DEBRIS_SECONDS = 600.0


def run(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT.

    Raises
    ------
    NightreadError
        If the database, the archive or the port cannot be had.
    """
    logs.configure(settings)
    threading.excepthook = _log_dead_thread
    records = Records(settings.records_url)
    records.check_schema()
    archive = Archive(settings.archive_dir, minimum_free_bytes=settings.minimum_free_bytes)
    announcer = Announcer(
        records,
        make_app(settings.broker_url, lease_seconds=settings.lease_seconds),
        sweep=dt.timedelta(seconds=settings.sweep_seconds),
    )
    due = threading.Event()
    listener = Listener(settings, archive, records, due)
    listener.start()
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        # A plain flag: the lock of an Event may be held by the very line that is interrupted.
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        due.wait(_ROUND_SECONDS)
        due.clear()
        listener.reap()
        _round(announcer, archive)
    listener.stop()
    _round(announcer, archive)
    records.close()
    log.info("listener_stopped")


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
