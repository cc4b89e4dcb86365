"""The doctor looks at Python, and at the libraries of each process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from nightread.finding import Finding, fail, ok, warn
from screening.settings import Settings

# By the extra that installs them; a test holds this against pyproject.toml.
LIBRARIES = {
    "": (
        "alembic",
        "blake3",
        "celery",
        "numpy",
        "prometheus-client",
        "pydantic-settings",
        "pydicom",
        "redis",
        "rich",
        "sqlalchemy",
        "structlog",
        "typer",
    ),
    "listener": ("pynetdicom",),
    "worker": (
        "imagecodecs",
        "monai",
        "pillow",
        "pyjpegls",
        "pylibjpeg",
        "pylibjpeg-openjpeg",
        "pylibjpeg-rle",
        "safetensors",
        "torch",
    ),
    "worklist": (
        "fastapi",
        "httpx",
        "joserfc",
        "imagecodecs",
        "jinja2",
        "pillow",
        "pwdlib",
        "pyjpegls",
        "pylibjpeg",
        "pylibjpeg-openjpeg",
        "pylibjpeg-rle",
        "python-multipart",
        "uvicorn",
    ),
    "courier": (
        "dicomweb-client",
        "highdicom",
        "httpx",
        "imagecodecs",
        "pillow",
        "pyjpegls",
        "pylibjpeg",
        "pylibjpeg-openjpeg",
        "pylibjpeg-rle",
        "pynetdicom",
    ),
    "night": ("cronsim", "dicomweb-client", "jinja2", "pillow", "pynetdicom", "tzdata"),
    "adt": ("hl7",),
    "postgres": ("psycopg",),
    "s3": ("s3fs",),
}
_STRANGERS = ("torchvision", "timm")


def check_platform() -> Finding:
    """Look at Python and the machine."""
    detail = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.platform != "linux" or not (3, 11) <= sys.version_info[:2] <= (3, 12):
        return warn("Python", f"{detail}: tested on Linux with Python 3.11 and 3.12 only")
    return ok("Python", detail)


def check_libraries(settings: Settings) -> Iterator[Finding]:
    """Look for every library that the processes with these settings import."""
    known: set[str] = set()
    for extra, names in LIBRARIES.items():
        if extra == "postgres" and not settings.database_url.startswith("postgresql"):
            continue
        if extra == "worklist" and not settings.worklist_port:
            continue
        if extra == "courier" and settings.destinations_file is None:
            continue
        if extra == "night" and not (settings.sources_file or settings.retention_file):
            continue
        if extra == "s3" and not settings.archive_url.startswith("s3://"):
            continue
        if extra == "adt" and not settings.adt_port:
            continue
        for name in names:
            if name not in known:
                known.add(name)
                yield _check_library(name, extra)


def _check_library(name: str, extra: str) -> Finding:
    try:
        return ok(name, version(name))
    except PackageNotFoundError:
        wanted = f"'nightread[{extra}]'" if extra else "nightread"
        return fail(name, f"is not installed: pip install {wanted}")


def check_strangers() -> Iterator[Finding]:
    """Look for libraries that break others beside a torch without CUDA."""
    for name in _STRANGERS:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        yield warn(
            name,
            f"{found} is installed; Nightread does not use it, and beside torch without CUDA it "
            f"fails at import and takes others with it: pip uninstall {name}",
        )
