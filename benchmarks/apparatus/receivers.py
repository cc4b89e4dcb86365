"""Who receives: our listener, and what one would use instead of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.apparatus.installation import count, listening, settings_in
from benchmarks.apparatus.process import NODELAY, free_port, listens, running, wait_until


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver that listens.

    Attributes
    ----------
    port
        On loopback; any AE title may call it, NIGHTREAD among them.
    process
        The one that does the work; ``None`` where each association has one of its own.
    images
        How many it says that it holds.
    """

    port: int
    process: subprocess.Popen[bytes] | None
    images: Callable[[], int]


@contextmanager
def _ours(folder: Path, listeners: int = 1) -> Iterator[Receiver]:
    settings = settings_in(folder, listeners=listeners)
    with listening(settings) as process:
        yield Receiver(settings.dicom_port, process, lambda: count(settings).received)


@contextmanager
def _naive(folder: Path) -> Iterator[Receiver]:
    port, kept = free_port(), _folder(folder)
    script = Path(__file__).with_name("naive_listener.py")
    command = [sys.executable, "-P", str(script), str(port), str(kept)]
    with running(command, folder / "log") as process:
        wait_until(lambda: listens(port), "the naive listener listens")
        yield Receiver(port, process, lambda: _files(kept))


@contextmanager
def _storescp(folder: Path, environment: Mapping[str, str] = NODELAY) -> Iterator[Receiver]:
    port, kept = free_port(), _folder(folder)
    command = ["storescp", "--fork", "+B", "--max-pdu", "131072", "-od", str(kept), str(port)]
    with running(command, folder / "log", environment):
        wait_until(lambda: listens(port), "storescp listens")
        yield Receiver(port, None, lambda: _files(kept))


@contextmanager
def _orthanc(folder: Path, environment: Mapping[str, str] = NODELAY) -> Iterator[Receiver]:
    port, http, kept = free_port(), free_port(), _folder(folder)
    # What is not said here is as Orthanc ships: synced storage, MD5, SQLite.
    chosen = {"StorageDirectory": str(kept), "IndexDirectory": str(kept)}
    ports = {"DicomPort": port, "HttpPort": http}
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps({**chosen, **ports}))

    def images() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/statistics", timeout=30) as answer:
            return int(json.load(answer)["CountInstances"])

    with running(["Orthanc", configuration], folder / "log", environment) as process:
        wait_until(lambda: listens(port) and listens(http), "Orthanc listens")
        yield Receiver(port, process, images)


def _folder(parent: Path) -> Path:
    kept = parent / "kept"
    kept.mkdir()
    return kept


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


@contextmanager
def _ours_twice(folder: Path) -> Iterator[Receiver]:
    with _ours(folder, listeners=2) as receiver:
        yield receiver


OURS = "nightread"
OURS_TWICE = "nightread, 2 processes"

Start = Callable[[Path], AbstractContextManager[Receiver]]

RECEIVERS: dict[str, tuple[str, Start]] = {
    OURS: (sys.executable, _ours),
    OURS_TWICE: (sys.executable, _ours_twice),
    "naive": (sys.executable, _naive),
    "dcmtk": ("storescp", _storescp),
    "orthanc": ("Orthanc", _orthanc),
    "dcmtk_stock": ("storescp", partial(_storescp, environment={})),
    "orthanc_stock": ("Orthanc", partial(_orthanc, environment={})),
}
"""By name, the program that it needs and how to start it in an empty folder.

Those called stock are as Debian ships them, their small packets held back: for the record.
"""


def is_installed(name: str) -> bool:
    """Say whether this machine has a receiver."""
    return shutil.which(RECEIVERS[name][0]) is not None
