"""Deflated data sets, inflated within bounds."""

from __future__ import annotations

import mmap
import zlib

from screening.errors import HeaderError

DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
"""The transfer syntaxes whose data sets are deflated: Deflated Explicit VR Little Endian, JPIP
Referenced Deflate and JPIP HTJ2K Referenced Deflate, PS3.6 Table A-1."""

# Room for the most pixels that we read, and a bound for what is made to inflate without end.
MOST_INFLATED = 256 * 1024 * 1024
"""Bytes that are inflated unless others are asked for."""

_PART = 1 << 20


def inflate(data: bytes | mmap.mmap, position: int, most: int) -> bytes:
    """Return what a deflated data set holds, PS3.5 A.5.

    Parameters
    ----------
    data, position
        Where it begins.
    most
        So many bytes are inflated, and what lies behind is left out.

    Raises
    ------
    HeaderError
        If it does not inflate.
    """
    # Raw deflate of RFC 1951, with no zlib header.
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts: list[bytes] = []
    left = most
    try:
        for at in range(position, len(data), _PART):
            parts.append(inflater.decompress(data[at : at + _PART], left))
            left -= len(parts[-1])
            if not left or inflater.eof:
                break
        return b"".join(parts)
    except zlib.error:
        raise HeaderError("the deflated data set cannot be inflated: send it again") from None
