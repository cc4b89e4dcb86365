"""What a compressed frame says of its size, before a decoder acts on it.

A decoder allocates what its codestream asks for: one damaged byte may ask for gigabytes, and the
process that has to give them is killed with all that it was working on.
"""

from __future__ import annotations

from struct import error, unpack_from

_SOC_SIZ = b"\xff\x4f\xff\x51"
_SOI = b"\xff\xd8"
# The signature box of a JP2 file (ISO/IEC 15444-1 I.5.1): some senders wrap the codestream in one,
# which PS3.5 A.4.4 does not allow and decoders read all the same.
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_SOS = 0xDA
_JPEG_LS_FRAME = 0xF7
# DHT, JPG and DAC lie among the frame markers C0 to CF (ISO/IEC 10918-1, table B.1).
_NO_FRAME = (0xC4, 0xC8, 0xCC)
_MOST_SEGMENTS = 1000
_MOST_BOXES = 65_536  # bytes of a JP2 file's boxes before its codestream


def codestream_size(codestream: bytes) -> tuple[int, int] | None:
    """Return the rows and columns that the header of a codestream declares.

    Parameters
    ----------
    codestream
        The beginning of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Returns
    -------
    tuple of int, or None
        ``None`` where there is no such header.
    """
    try:
        if codestream.startswith(_JP2):
            codestream = codestream[max(codestream.find(_SOC_SIZ), 0) :]
        if codestream.startswith(_SOC_SIZ):
            # ISO/IEC 15444-1 A.5.1: the size of the grid and the offset of the image in it.
            width, height, left, top = unpack_from(">4L", codestream, 8)
            return height - top, width - left
        if codestream.startswith(_SOI):
            frame = _jpeg_frame(codestream)
            return None if frame is None else frame[1:]
    except error:
        pass
    return None


def codestream_precision(codestream: bytes) -> int | None:
    """Return the bits of a sample of a JPEG, or a JPEG 2000 codestream, bare or in a JP2 file.

    Returns
    -------
    int or None
        ``None`` where it is no such codestream, has several components, or holds signed samples.
    """
    if codestream.startswith(_SOI):
        try:
            frame = _jpeg_frame(codestream)
        except error:
            return None
        return None if frame is None else frame[0]
    start = codestream.find(_SOC_SIZ, 0, _MOST_BOXES)
    if start < 0 or not codestream.startswith((_JP2, _SOC_SIZ)):
        return None
    try:
        # ISO/IEC 15444-1 A.5.1: Csiz, and Ssiz of the first component, whose high bit is the sign.
        components, depth = unpack_from(">HB", codestream, start + 40)
    except error:
        return None
    return (depth & 0x7F) + 1 if components == 1 and not depth & 0x80 else None


def _jpeg_frame(codestream: bytes) -> tuple[int, int, int] | None:
    """Return precision, rows and columns of the frame header, ISO/IEC 10918-1 B.2.2."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        prefix, marker, length = unpack_from(">BBH", codestream, position)
        if prefix != 0xFF or marker == _SOS:
            return None
        if marker == _JPEG_LS_FRAME or (marker & 0xF0 == 0xC0 and marker not in _NO_FRAME):
            precision, rows, columns = unpack_from(">BHH", codestream, position + 4)
            return precision, rows, columns
        # Any number of fill bytes FF may come before a marker.
        position += 1 if marker == 0xFF else 2 + length
    return None
