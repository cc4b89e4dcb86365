"""Where a benchmark ran, without a name or a path that would say whose machine it was."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = (
    "celery",
    "imagecodecs",
    "monai",
    "numpy",
    "pydicom",
    "pyjpegls",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "pynetdicom",
    "sqlalchemy",
    "torch",
)
_PROGRAMS = {"DCMTK": "storescp", "Orthanc": "Orthanc", "Redis": "redis-server"}
_NUMBER = re.compile(r"\d+(\.\d+)+")


def versions() -> dict[str, str]:
    """Return the versions of what took part, or could have."""
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: _library(name) for name in _LIBRARIES},
        **{name: _program(program) for name, program in _PROGRAMS.items()},
    }


def machine() -> dict[str, str | int]:
    """Return the cores that we may use, the processor and the kernel's name."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _library(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _program(name: str) -> str:
    """Return the first version number in what a program says of itself."""
    found = shutil.which(name)
    if found is None:
        return "not installed"
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    number = _NUMBER.search(said.stdout + said.stderr)
    return number.group() if number else "of unknown version"


def _processor() -> str:
    described = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return described.group(1).strip() if described else platform.machine()
