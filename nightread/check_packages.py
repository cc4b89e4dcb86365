"""The doctor looks whether our packages are ours: ``models`` and ``worker`` are common names."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from nightread.finding import Finding, fail, ok, warn

OUR_PACKAGES = (
    "dicom_listener",
    "migrations",
    "models",
    "night",
    "nightread",
    "pacs",
    "phantoms",
    "screening",
    "worker",
    "worklist",
)


def check_packages() -> Iterator[Finding]:
    """Look whether another distribution stands before our packages or has overwritten them."""
    home = Path(__file__).parents[1]
    strangers = [name for name in OUR_PACKAGES if not _is_at(name, home)]
    for name in strangers:
        yield fail(
            name,
            f"is imported from {_origin(name)} and not from {home}: another distribution brings a "
            f"package {name}; uninstall it, or give Nightread a virtual environment of its own",
        )
    if not strangers:
        yield _check_installed_files()


def _is_at(name: str, home: Path) -> bool:
    """Say whether a package is ours, and nothing on the path would be taken before it."""
    if _origin(name) != home / name:
        return False
    # Of an editable installation the finder comes last: a later process may start elsewhere.
    first = PathFinder.find_spec(name)
    return first is None or first.origin is None or Path(first.origin).parent == home / name


def _origin(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _check_installed_files() -> Finding:
    try:
        installed = distribution("nightread")
    except PackageNotFoundError:
        return warn("packages", "Nightread runs from its source folder and is not installed")
    if is_editable(installed):
        return ok("packages", "an editable installation: its files are not compared")
    altered = altered_files(installed)
    if altered:
        return fail(
            "packages",
            f"{len(altered)} of our files were changed after the installation, {altered[0]} among "
            "them: did another distribution overwrite them? Install Nightread again, alone",
        )
    return ok("packages", "every installed file of ours is as it was installed")


def is_editable(installed: Distribution) -> bool:
    """Say whether a distribution runs from its source folder (PEP 610)."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def altered_files(installed: Distribution) -> list[str]:
    """Return a distribution's files that are missing or are not those of its RECORD."""
    altered = []
    for file in installed.files or ():
        # Byte code has no hash in the RECORD.
        if file.hash is None:
            continue
        path = Path(str(file.locate()))
        if not path.is_file() or _digest(path, file.hash.mode) != file.hash.value:
            altered.append(str(file))
    return altered


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
