"""Whether what the archive must have is there, and is what it was."""

from __future__ import annotations

from screening.archive.archive import Archive
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.errors import HeaderError


def trouble_with(
    archive: Archive, digest: str, transfer_syntax_uid: str, *, whole: bool
) -> str | None:
    """Return what is wrong with a file of the archive; ``None`` if nothing is.

    Parameters
    ----------
    whole
        Whether to read every byte and compare the digest.

    Raises
    ------
    ArchiveError
        If the archive as a whole is not there.
    """
    if not archive.holds(digest):
        return "missing"
    if not whole:
        return None
    path = archive.path(digest)
    try:
        found = content_digest(
            path, offset=data_set_offset(path), transfer_syntax_uid=transfer_syntax_uid
        )
    except (HeaderError, OSError) as error:
        return f"unreadable: {error if isinstance(error, HeaderError) else error.strerror}"
    return None if found == digest else "damaged: its bytes are not those that came"
