"""Whether what the archive must have is there, and is what it was."""

from __future__ import annotations

from screening.archive.archive import Archive
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.errors import ArchiveAwayError, ArchiveError, HeaderError, OutOfSpaceError

DAMAGED = "damaged: its bytes are not those that came"


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
        If the archive as a whole is not there, or there is no room to look at the file.
    """
    size = archive.size(digest)
    if not size:
        return "missing" if size is None else "empty"
    if not whole:
        return None
    try:
        with archive.taken_out(digest) as path:
            found = content_digest(
                path, offset=data_set_offset(path), transfer_syntax_uid=transfer_syntax_uid
            )
    except (ArchiveAwayError, OutOfSpaceError):
        raise
    except ArchiveError:
        return DAMAGED
    except (HeaderError, OSError) as error:
        return f"unreadable: {error if isinstance(error, HeaderError) else error.strerror}"
    return None if found == digest else DAMAGED
