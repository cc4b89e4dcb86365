"""Whether a file of the archive holds what its name says."""

from __future__ import annotations

from pathlib import Path

from screening.archive.incoming_file import content_digest
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.errors import HeaderError, PixelError


def require_intact(path: Path) -> None:
    """Refuse a file whose content is not the one that it is named by: another image's, perhaps.

    Raises
    ------
    PixelError
        If it is another one, is not there or cannot be read.
    """
    try:
        syntax = read_header(path).transfer_syntax_uid
        digest = content_digest(path, offset=data_set_offset(path), transfer_syntax_uid=syntax)
    except FileNotFoundError:
        raise PixelError("its file is not in the archive any more") from None
    except OSError as error:
        raise PixelError(f"its file cannot be read: {error.strerror}") from None
    except HeaderError:
        digest = ""
    if digest != path.stem:
        raise PixelError("its file is not what came: restore the archive")
