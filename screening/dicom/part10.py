"""What stands before the data set in a Part 10 file."""

from __future__ import annotations

import struct
from pathlib import Path

from screening.errors import HeaderError

IMPLEMENTATION_CLASS_UID = "2.25.68016653732691891915349639122601563680"
"""Of this program, PS3.7 D.3.3.2; made from a UUID, PS3.5 B.2."""

IMPLEMENTATION_VERSION_NAME = "NIGHTREAD"

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


def part10_head(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str
) -> bytes:
    """Return preamble, prefix and file meta information of a data set that arrived, PS3.10 7.1.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        Of the instance.
    transfer_syntax_uid
        In which the data set is encoded.
    source_ae_title
        Who sent it.
    """
    elements = (
        (0x0001, b"OB", b"\0\1"),
        (0x0002, b"UI", _uid(sop_class_uid)),
        (0x0003, b"UI", _uid(sop_instance_uid)),
        (0x0010, b"UI", _uid(transfer_syntax_uid)),
        (0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
        (0x0013, b"SH", _padded(IMPLEMENTATION_VERSION_NAME, b" ")),
        (0x0016, b"AE", _padded(source_ae_title, b" ")),
    )
    body = b"".join(_element(*element) for element in elements)
    length = _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, len(body))
    return bytes(_PREAMBLE) + b"DICM" + length + body


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OB":
        return struct.pack("<HH2sHI", 0x0002, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value


def _uid(uid: str) -> bytes:
    return _padded(uid, b"\0")


def _padded(text: str, padding: bytes) -> bytes:
    content = text.encode("ascii", "replace")
    return content + padding * (len(content) % 2)
