"""Data elements: where one lies, and how they are written."""

from __future__ import annotations

import mmap
from struct import Struct, error
from typing import NamedTuple

Bytes = bytes | mmap.mmap

UNDEFINED = 0xFFFFFFFF
"""A value length that says: ends at a delimiter (PS3.5 7.1.1)."""

ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD

# PS3.5 7.1.2: these carry two reserved bytes and a length of 32 bits, all others one of 16 bits.
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())

# A file of zeros is a row of empty elements: without a bound, gigabytes of it would hold a thread
# for minutes. Those inside of sequences count. A multi-frame data set of thousands of frames stays
# below.
MOST_ELEMENTS = 1_000_000


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


class Encoding:
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
        self, data: Bytes, element: Element, *, explicit: bool, most: int = MOST_ELEMENTS
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
            if inner.tag in (ITEM_DELIMITER, _SEQUENCE_DELIMITER):
                open_ends.pop()
                if not open_ends:
                    return position, count + 1
            elif inner.length == UNDEFINED:
                open_ends.append(open_ends[-1] and inner.vr != "UN")
            else:
                position += inner.length
        return None, most
