"""Where the data set begins in a Part 10 file."""

from __future__ import annotations

import struct
from pathlib import Path

from screening.errors import HeaderError

_PREAMBLE = 128
# (0002,0000) File Meta Information Group Length: tag, UL, length 4, value; PS3.10 Table 7.1-1.
_GROUP_LENGTH = struct.Struct("<HH2sHI")


def data_set_offset(path: Path) -> int:
    """Return the offset of the data set in a file, in bytes, PS3.10 7.1.

    Raises
    ------
    HeaderError
        If the file does not begin as PS3.10 asks.
    """
    with path.open("rb") as file:
        head = file.read(_PREAMBLE + 4 + _GROUP_LENGTH.size)
    if head[_PREAMBLE : _PREAMBLE + 4] != b"DICM" or len(head) < _PREAMBLE + 4 + _GROUP_LENGTH.size:
        raise HeaderError("not a DICOM file: there is no DICM after a preamble of 128 bytes")
    group, element, _, _, length = _GROUP_LENGTH.unpack_from(head, _PREAMBLE + 4)
    if (group, element) != (0x0002, 0x0000):
        raise HeaderError("not a DICOM file: its meta information has no group length")
    return len(head) + int(length)
