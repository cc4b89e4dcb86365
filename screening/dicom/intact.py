"""Whether a file of the archive holds what its name says."""

from __future__ import annotations

from pathlib import Path

from pydicom.filereader import read_file_meta_info

from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.errors import HeaderError, PixelError


def digest_of(path: Path) -> str:
    """Return the digest of a Part 10 file, under which the archive would keep it.

    Raises
    ------
    HeaderError
        If it is no such file.
    OSError
        If it cannot be read.
    """
    try:
        syntax = str(read_file_meta_info(path).TransferSyntaxUID)
    except OSError:
        raise
    except Exception as error:
        # pydicom raises nearly anything on a damaged file.
        raise HeaderError(
            f"its file meta information cannot be read ({type(error).__name__})"
        ) from None
    return content_digest(path, offset=data_set_offset(path), transfer_syntax_uid=syntax)


def require_intact(path: Path) -> None:
    """Refuse a file whose content is not the one that it is named by: another image's, perhaps.

    Raises
    ------
    PixelError
        If it is another one, is not there or cannot be read.
    """
    try:
        digest = digest_of(path)
    except FileNotFoundError:
        raise PixelError("its file is not in the archive any more") from None
    except OSError as error:
        raise PixelError(f"its file cannot be read: {error.strerror}") from None
    except HeaderError:
        digest = ""
    if digest != path.stem:
        raise PixelError("its file is not what came: restore the archive")
