"""The Image Pixel module: how stored words hold pixel values (PS3.3 C.7.6.3, PS3.5 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import DataSet
from screening.dicom.values import parse_integer
from screening.errors import DecodeError

SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
HIGH_BIT = 0x00280102
PIXEL_REPRESENTATION = 0x00280103
PIXEL_PADDING_VALUE = 0x00280120
PIXEL_PADDING_RANGE_LIMIT = 0x00280121

# Overlay planes may lie in unused bits of the pixel words, which is retired but lives on in
# archives (PS3.3-2004 C.9.2). There are sixteen repeating groups, 6000 to 601E.
_OVERLAY_BIT_POSITIONS = tuple(0x60000102 + (group << 16) for group in range(0, 0x20, 2))

IMAGE_PIXEL_TAGS = (
    SAMPLES_PER_PIXEL,
    PHOTOMETRIC_INTERPRETATION,
    NUMBER_OF_FRAMES,
    ROWS,
    COLUMNS,
    BITS_ALLOCATED,
    BITS_STORED,
    HIGH_BIT,
    PIXEL_REPRESENTATION,
    PIXEL_PADDING_VALUE,
    PIXEL_PADDING_RANGE_LIMIT,
    *_OVERLAY_BIT_POSITIONS,
)

MOST_PIXELS = 100_000_000
"""Seven times the largest flat panel's 14 megapixels; more is damage, and would fill the memory."""


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """One grey frame's description.

    Attributes
    ----------
    rows, columns
        At least 1.
    bits_allocated
        8 or 16, as CR and DX have (PS3.3 C.8.11.3).
    bits_stored, high_bit
        In 1 to ``bits_allocated``; contradictory values are replaced by what the words can hold.
    signed
        Whether values are two's complement.
    photometric_interpretation
        ``MONOCHROME1`` or ``MONOCHROME2``.
    padding
        Lowest and highest stored value that is padding, inclusive (PS3.3 C.7.5.1.1.2), or ``None``.
    overlay_in_pixels
        Whether an overlay lies in unused bits of the words.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric_interpretation: str
    padding: tuple[int, int] | None = None
    overlay_in_pixels: bool = False

    def values_of_words(self, highest: int) -> NDArray[np.int32]:
        """Return the pixel value of each word.

        Parameters
        ----------
        highest
            The highest word, read as unsigned, that occurs.

        Returns
        -------
        ndarray of int32, shape (highest + 1,)
            Indexed by word. Bits outside Bits Stored do not count (PS3.5 8.1.1), except where the
            words go on above High Bit and no overlay explains that: there Bits Stored is wrong,
            which happens, and masking would fold the brightest values onto the darkest.
        """
        low_bit = self.high_bit + 1 - self.bits_stored
        stored = self.bits_stored
        words = np.arange(highest + 1, dtype=np.int32)
        if highest >> (self.high_bit + 1) and not self.signed and not self.overlay_in_pixels:
            stored = self.bits_allocated - low_bit
        values = (words >> low_bit) & ((1 << stored) - 1)
        if self.signed:
            values -= (values >> (stored - 1)) << stored
        return values.astype(np.int32, copy=False)

    def is_padding(self, values: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which values are padding; same shape as `values`."""
        if self.padding is None:
            return np.zeros(values.shape, dtype=np.bool_)
        return (values >= self.padding[0]) & (values <= self.padding[1])


def whole_number(data_set: DataSet, tag: int, *, signed: bool = False) -> int | None:
    """Return the first value of a US or SS element, ``None`` where there is none."""
    value = data_set.value(tag, 64)
    if data_set.vr(tag) in ("IS", "DS"):
        return parse_integer(value.decode("ascii", "replace").split("\\")[0])
    if len(value) < 2:
        return None
    if data_set.little_endian:
        return int.from_bytes(value[:2], "little", signed=signed)
    return int.from_bytes(value[:2], "big", signed=signed)


def image_pixel(data_set: DataSet) -> ImagePixel:
    """Return the Image Pixel module of a data set.

    Raises
    ------
    DecodeError
        Something without which no frame can be read is missing, or it is not a single grey frame.
    """
    _require_one_grey_frame(data_set)
    rows, columns = _side(data_set, ROWS, "Rows"), _side(data_set, COLUMNS, "Columns")
    if rows * columns > MOST_PIXELS:
        raise DecodeError(f"{rows} x {columns} pixels are more than the {MOST_PIXELS} we read")
    allocated = whole_number(data_set, BITS_ALLOCATED)
    if allocated not in (8, 16):
        raise DecodeError(
            f"Bits Allocated (0028,0100) is {allocated or 'missing'}: radiographs have 8 or 16 "
            "(PS3.3 C.8.11.3), ask the sender for the original"
        )
    stored = whole_number(data_set, BITS_STORED) or allocated
    stored = stored if stored <= allocated else allocated
    high_bit = whole_number(data_set, HIGH_BIT)
    if high_bit is None or not stored - 1 <= high_bit < allocated:
        high_bit = stored - 1
    signed = whole_number(data_set, PIXEL_REPRESENTATION) == 1
    return ImagePixel(
        rows=rows,
        columns=columns,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=signed,
        photometric_interpretation=_photometric_interpretation(data_set),
        padding=_padding(data_set, signed=signed),
        overlay_in_pixels=any(whole_number(data_set, tag) for tag in _OVERLAY_BIT_POSITIONS),
    )


def _require_one_grey_frame(data_set: DataSet) -> None:
    frames = parse_integer(data_set.value(NUMBER_OF_FRAMES, 64).decode("ascii", "replace")) or 1
    if frames > 1:
        raise DecodeError(f"there are {frames} frames: a radiograph has one")
    samples = whole_number(data_set, SAMPLES_PER_PIXEL) or 1
    if samples != 1:
        raise DecodeError(f"there are {samples} samples per pixel: a radiograph is grey and has 1")
    photometric = _photometric_interpretation(data_set)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise DecodeError(
            "Photometric Interpretation (0028,0004) is neither MONOCHROME1 nor MONOCHROME2: it is "
            "not known whether low values are white or black"
        )


def _photometric_interpretation(data_set: DataSet) -> str:
    value = data_set.value(PHOTOMETRIC_INTERPRETATION, 64).decode("ascii", "replace")
    return value.split("\\")[0].strip(" \0").upper()


def _side(data_set: DataSet, tag: int, name: str) -> int:
    side = whole_number(data_set, tag)
    if not side:
        raise DecodeError(f"{name} (0028,{tag & 0xFFFF:04X}) is missing or 0: send the image again")
    return side


def _padding(data_set: DataSet, *, signed: bool) -> tuple[int, int] | None:
    value = whole_number(data_set, PIXEL_PADDING_VALUE, signed=signed)
    limit = whole_number(data_set, PIXEL_PADDING_RANGE_LIMIT, signed=signed)
    if value is None:
        return None
    # The limit lies below the value for MONOCHROME1 and above it for MONOCHROME2.
    return (value, value) if limit is None else (min(value, limit), max(value, limit))
