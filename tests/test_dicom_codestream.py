from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.dicom.codestream import codestream_size


def siz(rows: int, columns: int, top: int = 0, left: int = 0) -> bytes:
    """Begin a JPEG 2000 codestream: SOC, then SIZ as far as its size (ISO/IEC 15444-1 A.5.1)."""
    grid = struct.pack(">4L", columns + left, rows + top, left, top)
    return b"\xff\x4f\xff\x51" + struct.pack(">HH", 41, 0) + grid


JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\x00\x00\x00\x14ftypjp2 " + bytes(8)
JPEG = b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 16) + bytes(14)


@pytest.mark.parametrize(
    ("codestream", "size"),
    [
        (siz(300, 200), (300, 200)),
        (siz(300, 200, top=7, left=9), (300, 200)),
        (JP2 + siz(60000, 60000), (60000, 60000)),
        (JP2, None),
        (JPEG + b"\xff\xc0" + struct.pack(">HBHH", 11, 8, 300, 200), (300, 200)),
        (JPEG + b"\xff\xff\xc3" + struct.pack(">HBHH", 11, 16, 300, 200), (300, 200)),
        (JPEG + b"\xff\xf7" + struct.pack(">HBHH", 11, 12, 300, 200), (300, 200)),
        (JPEG + b"\xff\xda", None),
        (b"", None),
    ],
    ids=[
        "J2K",
        "J2K in its grid",
        "JP2",
        "JP2, empty",
        "baseline",
        "lossless",
        "LS",
        "scan",
        "none",
    ],
)
def test_a_codestream_says_its_size_before_a_decoder_acts_on_it(
    codestream: bytes, size: tuple[int, int] | None
) -> None:
    assert codestream_size(codestream) == size


@given(st.binary(max_size=200), st.sampled_from([b"", JPEG, JP2, b"\xff\x4f\xff\x51"]))
def test_any_bytes_have_a_size_or_none(junk: bytes, start: bytes) -> None:
    size = codestream_size(start + junk)
    assert size is None or len(size) == 2
