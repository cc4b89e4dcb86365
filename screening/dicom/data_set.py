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

from screening.dicom.deflate import DEFLATED, MOST_INFLATED, inflate
from screening.dicom.elements import (
    ITEM,
    ITEM_DELIMITER,
    MOST_ELEMENTS,
    SHORT_VRS,
    UNDEFINED,
    Bytes,
    Element,
    Encoding,
)
from screening.errors import HeaderError

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_PIXEL_DATA = 0x7FE00009
PIXEL_DATA = 0x7FE00010
_PIXEL_TAGS = (FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA, PIXEL_DATA)
_GROUPS_OF_THEIR_OWN = (0x7FE0, 0xFFFE)  # pixels, and the ends of items
_TRANSFER_SYNTAX_UID = 0x00020010

_MOST_META = 1_000  # elements of the File Meta Information


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
    encoding: Encoding
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
        if item is None or item.tag != ITEM:
            return None
        explicit = self.encoding.explicit and sequence.vr != "UN"
        end = len(self.data) if item.length == UNDEFINED else item.start + item.length
        encoding = Encoding(little_endian=self.little_endian, explicit=explicit)
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
        return first if first and first.tag == ITEM and first.length else None


def _walk(
    data: Bytes, position: int, end: int, encoding: Encoding, wanted: Collection[int], syntax: str
) -> DataSet:
    """Collect the `wanted` elements between `position` and `end`, up to the pixel data."""
    elements: dict[int, Element] = {}
    end = min(end, len(data))
    explicit = encoding.explicit
    left = MOST_ELEMENTS
    while left > 0:
        if explicit:
            position, passed = _pass_short(data, position, end, encoding, wanted, elements, left)
            left -= passed
        element = encoding.element_at(data, position, explicit=explicit) if position < end else None
        if element is None or element.tag == ITEM_DELIMITER:
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


def _pass_short(
    data: Bytes,
    position: int,
    end: int,
    encoding: Encoding,
    wanted: Collection[int],
    elements: dict[int, Element],
    most: int,
) -> tuple[int, int]:
    """Pass the plain elements of explicit VR and 16-bit length, of which headers mostly consist.

    Returns
    -------
    tuple of int
        Where the first element of another form is, and how many were passed.
    """
    unpack, passed = encoding.unpack_explicit, 0
    while position + 8 <= end and passed < most:
        group, number, vr, length = unpack(data, position)
        following = position + 8 + length
        if vr not in SHORT_VRS or group in _GROUPS_OF_THEIR_OWN or following > end:
            break
        tag = group << 16 | number
        if tag in wanted:
            elements[tag] = Element(tag, vr.decode("ascii"), position + 8, length)
        position, passed = following, passed + 1
    return position, passed


def _looks_explicit(data: Bytes, position: int) -> bool:
    vr = data[position + 4 : position + 6]
    return vr.isalpha() and vr.isupper()


def _looks_big_endian(data: Bytes, position: int) -> bool:
    # A data set begins with group 0008, a DICOMDIR with 0004: as big endian the first byte is 0.
    first = data[position : position + 2]
    return first[:1] == b"\0" and first[1:] != b"\0"


def _file_meta(data: Bytes, position: int) -> tuple[str, int]:
    """Return the Transfer Syntax UID, empty if there is none, and where the data set begins."""
    encoding = Encoding(little_endian=True, explicit=_looks_explicit(data, position))
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
    encoding = Encoding(little_endian=not big, explicit=explicit)
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
