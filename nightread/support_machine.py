"""The machine and the software, as a support bundle tells them."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sqlite3
import ssl
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from nightread.check_libraries import LIBRARIES
from nightread.check_packages import OUR_PACKAGES

if TYPE_CHECKING:
    from screening.settings import Settings

HOME = Path(__file__).parents[1]


def told_versions() -> dict[str, object]:
    """Return the versions of ours and of all that we stand on."""
    from screening.records.engine import SCHEMA_REVISION
    from screening.records.schema_version import OLDEST_REVISION

    names = sorted({name for each in LIBRARIES.values() for name in each})
    return {
        "nightread": _version("nightread"),
        "schema": SCHEMA_REVISION,
        "works_with_schema_from": OLDEST_REVISION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        "libraries": {name: _version(name) for name in names},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def told_packages() -> dict[str, object]:
    """Return a digest of each of our packages, over its files' names and contents."""
    return {name: _digest(HOME / name) for name in OUR_PACKAGES}


def _digest(folder: Path) -> dict[str, object]:
    files = sorted(folder.rglob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {"files": len(files), "sha256": digest.hexdigest()}


def told_machine(settings: Settings) -> dict[str, object]:
    """Return cores, memory, load and disks; a disk by what it is for."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    disks: dict[str, dict[str, object]] = {}
    for name, folder in (("data", settings.data_dir), ("archive", settings.archive_dir)):
        try:
            usage = shutil.disk_usage(folder)
            disks[name] = {"bytes": usage.total, "free_bytes": usage.free}
        except OSError as error:
            disks[name] = {"failed": os.strerror(error.errno or 0)}
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": pages * size,
        "memory_available_bytes": os.sysconf("SC_AVPHYS_PAGES") * size,
        "load": list(os.getloadavg()),
        "up_seconds": int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "time_zone": time.strftime("%Z"),
        "disks": disks,
    }
