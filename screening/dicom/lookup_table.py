"""Lookup tables of the Modality LUT and VOI LUT modules (PS3.3 C.11.1.1.1 and C.11.2.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import DataSet

LUT_DESCRIPTOR = 0x00283002
LUT_DATA = 0x00283006
LUT_TAGS = (LUT_DESCRIPTOR, LUT_DATA)

_MOST_ENTRIES = 65_536


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from input values to unsigned output values.

    Attributes
    ----------
    first
        The input value that the first entry is for.
    entries
        float64, at least one; each in [0, 2 ** bits - 1].
    bits
        How many bits an entry has.
    """

    first: int
    entries: NDArray[np.float64]
    bits: int

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entries for `values`; those off an end of the table get its last entry."""
        index = np.rint(values) - self.first
        index = np.clip(index, 0, len(self.entries) - 1)
        entries: NDArray[np.float64] = self.entries[index.astype(np.intp)]
        return entries


def lookup_table(item: DataSet | None, *, negative_inputs: bool) -> LookupTable | None:
    """Return the table in an item of a LUT sequence, ``None`` if there is none to speak of.

    Parameters
    ----------
    item
        Its LUT Descriptor (0028,3002) and LUT Data (0028,3006).
    negative_inputs
        Whether input values may be negative. This decides the sign of the descriptor's second
        value, as the standard has it; the VR, which should say the same, is at times wrong.
    """
    if item is None:
        return None
    order = "<" if item.little_endian else ">"
    descriptor = np.frombuffer(item.value(LUT_DESCRIPTOR, 6).ljust(6, b"\0"), order + "u2")
    count, first, bits = (int(value) for value in descriptor)
    count = count or _MOST_ENTRIES
    entries = _entries(item.value(LUT_DATA, 2 * _MOST_ENTRIES), count, order)
    if len(entries) == 0:
        return None
    if negative_inputs and first >= 1 << 15:
        first -= 1 << 16
    # The number of bits is at times smaller than the entries need.
    bits = max(min(bits, 16) or 16, int(entries.max()).bit_length())
    return LookupTable(first, entries, bits)


def _entries(data: bytes, count: int, order: str) -> NDArray[np.float64]:
    """Return entries of 8 bits if the data are too short for 16, as in the standard's note."""
    if count <= len(data) < 2 * count:
        return np.frombuffer(data, "u1", count=count).astype(np.float64)
    available = min(count, len(data) // 2)
    return np.frombuffer(data, order + "u2", count=available).astype(np.float64)
