"""The release before this one: its code as it was tagged, as `make archive` kept it.

An archive of our own source, so that a checkout without history or tags can run the test as well.
"""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from console import ROOT

(ARCHIVE,) = (ROOT / "tests" / "releases").glob("nightread-*.tar.xz")


def commit() -> str:
    """Return the commit that it is of, which git writes into an archive."""
    with tarfile.open(ARCHIVE) as archive:
        archive.next()
        return archive.pax_headers["comment"]


def contents() -> dict[str, bytes]:
    """Return its files by their paths."""
    with tarfile.open(ARCHIVE) as archive:
        files = ((member, archive.extractfile(member)) for member in archive)
        return {member.name: file.read() for member, file in files if file is not None}


def unpack(folder: Path) -> Path:
    """Lay its packages into a folder; the weights are those of this tree."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    (folder / "models" / "bundles").symlink_to(ROOT / "models" / "bundles")
    return folder


def settings_of(folder: Path) -> set[str]:
    """Return the names of the settings that it knows."""
    # Release 0.1.0 has one file of them.
    files = [*folder.glob("screening/settings.py"), *folder.glob("screening/settings/*.py")]
    texts = [file.read_text() for file in files]
    return {name for text in texts for name in re.findall(r"^    ([a-z0-9_]+): ", text, re.M)}
