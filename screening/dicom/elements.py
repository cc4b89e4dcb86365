"""Finding the data elements of a file without decoding them.

This is a reader of our own because of where it runs: in the threads of a listener, on whatever a
sender puts on the wire. pydicom's reader warns and logs what it doubts, with values in the text,
and both are process-wide, so that they cannot be silenced for one thread; it recurses into nested
sequences; and it parses each sequence of undefined length even if nobody asked for it. What is
here finds elements, skips everything else, never recurses, and stays silent.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct, error
from typing import NamedTuple

from screening.dicom.deflate import DEFLATED, MOST_INFLATED, inflate
from screening.errors import HeaderError

Bytes = bytes | mmap.mmap

UNDEFINED = 0xFFFFFFFF
"""A value length that says: ends at a delimiter (PS3.5 7.1.1)."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_PIXEL_DATA = 0x7FE00009
PIXEL_DATA = 0x7FE00010
_PIXEL_TAGS = (FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA, PIXEL_DATA)

_TRANSFER_SYNTAX_UID = 0x00020010
_ITEM = 0xFFFEE000
_ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD

# PS3.5 7.1.2: these carry two reserved bytes and a length of 32 bits, all others one of 16 bits.
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

# A file of zeros is a row of empty elements: without a bound, gigabytes of it would hold a thread
# for minutes. Those inside of sequences count. A multi-frame data set of thousands of frames stays
# below.
_MOST_ELEMENTS = 1_000_000
_MOST_META = 1_000


class Element(NamedTuple):
    """Where one data element lies.

    Attributes
    ----------
    tag
        Group and element as one number, for instance ``0x00100010``.
    vr
        As encoded, or an empty string where the encoding has none (implicit VR, items).
    start
        Offset of the first byte of its value.
    length
        Of its value in bytes, or `UNDEFINED`.
    """

    tag: int
    vr: str
    start: int
    length: int


class _Encoding:
    """How the elements of a data set are written: byte order, and explicit or implicit VR."""

    def __init__(self, *, little_endian: bool, explicit: bool) -> None:
        order = "<" if little_endian else ">"
        self.little_endian = little_endian
        self.explicit = explicit
        self.unpack_explicit = Struct(order + "HH2sH").unpack_from
        self.unpack_implicit = Struct(order + "HHL").unpack_from
        self.unpack_length = Struct(order + "L").unpack_from

    def element_at(self, data: Bytes, position: int, *, explicit: bool) -> Element | None:
        """Return the element whose first byte is at `position`, or ``None`` if the data end."""
        try:
            group, number, length = self.unpack_implicit(data, position)
            tag = group << 16 | number
            if not explicit or group == 0xFFFE:
                return Element(tag, "", position + 8, length)
            vr, short = self.unpack_explicit(data, position)[2:]
            if vr in _LONG_VRS:
                length = self.unpack_length(data, position + 8)[0]
                return Element(tag, vr.decode("ascii"), position + 12, length)
        except error:
            return None
        if vr.isalpha() and vr.isupper():
            return Element(tag, vr.decode("ascii"), position + 8, short)
        # Some writers fall back to implicit VR for single elements or inside sequences.
        return Element(tag, "", position + 8, length)

    def end_of(
        self, data: Bytes, element: Element, *, explicit: bool, most: int = _MOST_ELEMENTS
    ) -> tuple[int | None, int]:
        """Return the offset behind `element`, and how many elements were looked at to find it.

        The offset is ``None`` if the data end inside the element, or it holds more than `most`.
        """
        if element.length != UNDEFINED:
            end = element.start + element.length
            return (end if end <= len(data) else None), 1
        position = element.start
        # Inside an undefined length UN everything is implicit VR (PS3.5 6.2.2).
        open_ends = [explicit and element.vr != "UN"]
        for count in range(most):
            inner = self.element_at(data, position, explicit=open_ends[-1])
            if inner is None:
                return None, count
            position = inner.start
            if inner.tag in (_ITEM_DELIMITER, _SEQUENCE_DELIMITER):
                open_ends.pop()
                if not open_ends:
                    return position, count + 1
            elif inner.length == UNDEFINED:
                open_ends.append(open_ends[-1] and inner.vr != "UN")
            else:
                position += inner.length
        return None, most


@dataclass(frozen=True, slots=True)
class DataSet:
    """The wanted elements of a data set, found but not decoded.

    Attributes
    ----------
    data
        The bytes that the elements point into: the file, or what a deflated one inflates to.
    transfer_syntax_uid
        From the File Meta Information; where that has none, what the elements look like.
    encoding
        How the elements are written.
    elements
        Those that were wanted and are there, by tag.
    pixels
        Pixel Data, Float Pixel Data or Double Float Pixel Data, whichever comes first.
    breaks_off_at
        Tag of the element in which the data end too early, ``None`` if they do not.
    """

    data: Bytes
    transfer_syntax_uid: str
    encoding: _Encoding
    elements: dict[int, Element] = field(default_factory=dict)
    pixels: Element | None = None
    breaks_off_at: int | None = None

    @property
    def little_endian(self) -> bool:
        """Whether numbers are stored with their least significant byte first."""
        return self.encoding.little_endian

    def value(self, tag: int, most: int = 65_536) -> bytes:
        """Return up to `most` bytes of the value of `tag`; empty where the element is not there."""
        element = self.elements.get(tag)
        if element is None or element.length == UNDEFINED:
            return b""
        return self.data[element.start : element.start + min(element.length, most)]

    def vr(self, tag: int) -> str:
        """Return the VR that `tag` is encoded with, empty if there is none."""
        element = self.elements.get(tag)
        return element.vr if element else ""

    def first_item(self, tag: int, wanted: Collection[int]) -> DataSet | None:
        """Return the `wanted` elements of the first item of a sequence, ``None`` without items."""
        sequence = self.elements.get(tag)
        if sequence is None or sequence.length == 0:
            return None
        item = self.encoding.element_at(self.data, sequence.start, explicit=False)
        if item is None or item.tag != _ITEM:
            return None
        explicit = self.encoding.explicit and sequence.vr != "UN"
        end = len(self.data) if item.length == UNDEFINED else item.start + item.length
        encoding = _Encoding(little_endian=self.little_endian, explicit=explicit)
        return _walk(self.data, item.start, end, encoding, wanted, self.transfer_syntax_uid)

    def has_pixels(self) -> bool:
        """Return whether there is pixel data with anything in it, without reading it."""
        if self.pixels is None or self.pixels.length == 0:
            return False
        return self.pixels.length != UNDEFINED or self.first_fragment() is not None

    def first_fragment(self) -> Element | None:
        """Return the first fragment of compressed pixels, ``None`` if it is empty or missing."""
        if self.pixels is None:
            return None
        # PS3.5 A.4: the first item is the offset table, the fragments follow.
        table = self.encoding.element_at(self.data, self.pixels.start, explicit=False)
        if table is None or table.length == UNDEFINED:
            return None
        first = self.encoding.element_at(self.data, table.start + table.length, explicit=False)
        return first if first and first.tag == _ITEM and first.length else None


def _walk(
    data: Bytes, position: int, end: int, encoding: _Encoding, wanted: Collection[int], syntax: str
) -> DataSet:
    """Collect the `wanted` elements between `position` and `end`, up to the pixel data."""
    elements: dict[int, Element] = {}
    end = min(end, len(data))
    explicit = encoding.explicit
    left = _MOST_ELEMENTS
    while left > 0:
        element = encoding.element_at(data, position, explicit=explicit) if position < end else None
        if element is None or element.tag == _ITEM_DELIMITER:
            break
        if element.tag in _PIXEL_TAGS:
            return DataSet(data, syntax, encoding, elements, pixels=element)
        following, looked_at = encoding.end_of(data, element, explicit=explicit, most=left)
        left -= looked_at
        if following is None:
            return DataSet(data, syntax, encoding, elements, breaks_off_at=element.tag)
        if element.tag in wanted:
            elements[element.tag] = element
        position = following
    return DataSet(data, syntax, encoding, elements)


def _looks_explicit(data: Bytes, position: int) -> bool:
    vr = data[position + 4 : position + 6]
    return vr.isalpha() and vr.isupper()


def _looks_big_endian(data: Bytes, position: int) -> bool:
    # A data set begins with group 0008, a DICOMDIR with 0004: as big endian the first byte is 0.
    first = data[position : position + 2]
    return first[:1] == b"\0" and first[1:] != b"\0"


def _file_meta(data: Bytes, position: int) -> tuple[str, int]:
    """Return the Transfer Syntax UID, empty if there is none, and where the data set begins."""
    encoding = _Encoding(little_endian=True, explicit=_looks_explicit(data, position))
    syntax = ""
    while data[position : position + 2] == b"\x02\x00":
        element = encoding.element_at(data, position, explicit=encoding.explicit)
        following = None
        if element is not None:
            following, _ = encoding.end_of(
                data, element, explicit=encoding.explicit, most=_MOST_META
            )
        if element is None or following is None:
            raise HeaderError(
                "the File Meta Information breaks off: the file is truncated, send it again"
            )
        if element.tag == _TRANSFER_SYNTAX_UID:
            value = data[element.start : min(following, element.start + 64)]
            syntax = value.decode("ascii", "replace").strip(" \0")
        position = following
    return syntax, position


def _data_set(data: Bytes, wanted: Collection[int], most_inflated: int) -> DataSet:
    position = 132 if data[128:132] == b"DICM" else 0
    syntax, position = _file_meta(data, position)
    if not syntax and data[position : position + 2] not in (b"\x08\x00", b"\x00\x08"):
        raise HeaderError(
            "this is not DICOM: there is neither a readable File Meta Information (PS3.10 7.1) "
            "nor a data set that begins with group 0008"
        )
    if syntax in DEFLATED:
        data, position = inflate(data, position, most_inflated), 0
    big = _looks_big_endian(data, position)
    explicit = _looks_explicit(data, position)
    if not syntax:
        syntax = EXPLICIT_BIG if big else EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    encoding = _Encoding(little_endian=not big, explicit=explicit)
    return _walk(data, position, len(data), encoding, wanted, syntax)


@contextmanager
def open_data_set(
    path: Path, wanted: Collection[int], most_inflated: int = MOST_INFLATED
) -> Iterator[DataSet]:
    """Find the `wanted` elements of the data set in a file, and where its pixels are.

    The file is a Part 10 file (PS3.10 7.1); a bare data set is read as well. Byte order and VR
    are as the elements show them, since senders' File Meta Information is at times wrong about it.
    The data set points into the mapped file and is of no use after the block.

    Parameters
    ----------
    path
        The file.
    wanted
        Tags.
    most_inflated
        Of a deflated data set, so many bytes are inflated at the most: what lies behind is not
        found.

    Raises
    ------
    HeaderError
        The file is not DICOM, breaks off before its data set, or does not inflate.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise HeaderError("this is not DICOM: the file is empty, send it again")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            yield _data_set(data, wanted, most_inflated)
        finally:
            # An array that still points into the map keeps it open until the array goes.
            with suppress(BufferError):
                data.close()
