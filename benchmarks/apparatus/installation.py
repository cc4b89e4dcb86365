"""An installation of our own, for as long as a measurement lasts."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.apparatus.process import free_port, listens, running, wait_until
from nightread.migrate import migrate_records
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.records.tally import Tally, tally
from screening.settings import PREFIX, Settings
from screening.settings_source import load_settings


def settings_in(folder: Path, *, listeners: int = 1, sources_file: Path | None = None) -> Settings:
    """Have this process and what it starts use one installation, whatever the environment holds.

    Everything is at its default (embedded Redis, SQLite), but for the folder, free ports, the
    number of listening processes and the PACS that it fetches from.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    chosen = {
        "DATA_DIR": str(folder / "data"),
        "DICOM_PORT": str(free_port()),
        "WORKLIST_PORT": str(free_port()),
        "LISTENER_PROCESSES": str(listeners),
        # The load is made of phantoms, some of which a classifier finds unlike radiographs.
        "ABSTAIN_UNLIKE": "false",
    }
    if sources_file is not None:
        chosen["SOURCES_FILE"] = str(sources_file)
    file = folder / "nightread.env"
    file.write_text("".join(f"{PREFIX}{k}={shlex.quote(v)}\n" for k, v in chosen.items()))
    os.environ[f"{PREFIX}SETTINGS_FILE"] = str(file)
    return load_settings()


@contextmanager
def listening(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run the listener and the Redis that it announces to, and no worker."""
    migrate_records(settings)
    redis = EmbeddedRedis(settings)
    redis.start()
    try:
        # -P, as the console starts it: away from the working folder's packages.
        command = [sys.executable, "-P", "-m", "nightread", "listen"]
        log = settings.data_dir / "listen.log"
        with running(command, log) as listener:
            wait_until(lambda: listens(settings.dicom_port), "our listener listens")
            yield listener
    finally:
        redis.stop()


def count(settings: Settings) -> Tally:
    """Return what the records hold."""
    records = Records(settings.records_url)
    try:
        with records.read() as session:
            return tally(session)
    finally:
        records.close()
