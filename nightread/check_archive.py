"""The doctor looks at an archive that has an address of its own: a share, or a bucket."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightread.finding import Finding, fail, ok
from screening.errors import NightreadError
from screening.settings import Settings

if TYPE_CHECKING:
    from screening.archive.archive import Archive

_SUBJECT = "archive"


def check_archive(settings: Settings) -> Iterator[Finding]:
    """Look whether the archive is there, and keeps, lists, gives back and removes a file."""
    from screening.archive.opening import open_archive

    if not settings.archive_url:
        return
    began = time.monotonic()
    try:
        archive = open_archive(settings)
        archive.require_there()
        same = _gives_back(archive)
    except NightreadError as error:
        yield fail(_SUBJECT, str(error))
        return
    took = time.monotonic() - began
    if same:
        yield ok(_SUBJECT, f"{settings.archive_url} kept a file and gave it back, in {took:.1f} s")
    else:
        yield fail(
            _SUBJECT,
            f"{settings.archive_url} gave back other bytes than it was given: what stands between "
            "changes them; keep no images there",
        )


def _gives_back(archive: Archive) -> bool:
    """Keep a small file, and say whether the archive gives back the same; it is removed again."""
    from screening.dicom.part10 import part10_head

    # The bytes are random: what is there already must not answer for them.
    head = part10_head("1.2.840.10008.5.1.4.1.1.7", "2.25.0", "1.2.840.10008.1.2.1", "DOCTOR")
    content = os.urandom(4096)
    file = archive.receive(head, "1.2.840.10008.1.2.1")
    file.write(memoryview(content))
    file.require_whole()
    kept = archive.keep(file)
    try:
        next(iter(archive.kept_files(0)), None)  # that it may be listed as well
        with archive.taken_out(kept.digest) as path:
            return path.read_bytes() == head + content
    finally:
        archive.remove(kept.digest)
