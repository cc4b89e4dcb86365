"""An image as a viewer needs it: every bit of its values, and how it asks to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import DataSet, open_data_set
from screening.dicom.frame import stored_words
from screening.dicom.grayscale import (
    GRAYSCALE_TAGS,
    VOI_LUT_FUNCTION,
    WINDOW_CENTER,
    WINDOW_WIDTH,
    Grayscale,
    grayscale,
)
from screening.dicom.image_pixel import IMAGE_PIXEL_TAGS, ImagePixel, image_pixel
from screening.dicom.lookup_table import LookupTable
from screening.dicom.values import parse_number
from screening.dicom.window import Window, window
from screening.errors import DecodeError, HeaderError, NoPixelDataError

IMAGER_PIXEL_SPACING = 0x00181164
PIXEL_SPACING = 0x00280030
PIXEL_SPACING_CALIBRATION_TYPE = 0x00280A02
WINDOW_EXPLANATION = 0x00281055

_TAGS = frozenset(
    (
        *IMAGE_PIXEL_TAGS,
        *GRAYSCALE_TAGS,
        IMAGER_PIXEL_SPACING,
        PIXEL_SPACING,
        PIXEL_SPACING_CALIBRATION_TYPE,
        WINDOW_EXPLANATION,
    )
)
_MOST_WINDOWS = 16
_HIGHEST = 65_535


@dataclass(frozen=True, slots=True)
class Spacing:
    """How far apart pixels are.

    Attributes
    ----------
    row, column
        Between the centres of neighbouring rows, and of columns, in mm.
    at_detector
        Whether that is on the detector's surface: a body part before it is smaller than it measures
        (PS3.3 10.7, Imager Pixel Spacing). Else the sender calibrated it to the patient.
    """

    row: float
    column: float
    at_detector: bool


@dataclass(frozen=True, slots=True)
class Display:
    """A frame, and how it asks to be shown.

    Attributes
    ----------
    words
        uint16 (rows, columns), C-contiguous, little endian.
    slope, intercept
        A pixel's value, in the units of its windows, is ``word * slope + intercept``.
    windows
        With what each is called; empty strings where it has no name.
    voi_lut
        Instead of a window, where the file has one.
    shown
        Lowest and highest value that occurs outside padding: what is shown without a window.
    inverted
        Whether low values are bright.
    padding
        Words that are background, from and to inclusive, ``None`` without.
    spacing
        ``None`` where it is not known.
    """

    words: NDArray[np.uint16]
    slope: float
    intercept: float
    windows: tuple[tuple[str, Window], ...]
    voi_lut: LookupTable | None
    shown: tuple[float, float]
    inverted: bool
    padding: tuple[int, int] | None
    spacing: Spacing | None


def read_display(path: Path) -> Display:
    """Read the one grey frame of a DICOM file for a viewer, without loss.

    Raises
    ------
    NoPixelDataError, DecodeError, OSError
        As :func:`screening.dicom.pixels.read_pixels` does.
    """
    try:
        with open_data_set(path, _TAGS) as data_set:
            if not data_set.has_pixels():
                raise NoPixelDataError("the data set has no Pixel Data, or nothing in it")
            image = image_pixel(data_set)
            gray = grayscale(data_set, image)
            stored, image = stored_words(data_set, image)
            return _display(data_set, stored, image, gray)
    except HeaderError as error:
        raise DecodeError(str(error)) from None


def _display(
    data_set: DataSet,
    stored: NDArray[np.uint8] | NDArray[np.uint16],
    image: ImagePixel,
    gray: Grayscale,
) -> Display:
    values = image.values_of_words(int(stored.max()))
    is_padding = image.is_padding(values)
    if gray.modality_lut is not None:
        # Its entries are unsigned and of at most 16 bits (PS3.3 C.11.1.1.1).
        table, slope, intercept = gray.modality_values(values), 1.0, 0.0
    else:
        lowest = int(values.min())
        table = (values - lowest).astype(np.float64)
        slope, intercept = gray.slope, gray.intercept + lowest * gray.slope
    words = np.take(np.clip(table, 0, _HIGHEST).astype("<u2"), stored, mode="clip")
    occurs = np.bincount(stored.reshape(-1), minlength=len(values)) > 0
    seen = gray.modality_values(values)[occurs & ~is_padding]
    shown = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    padded = table[is_padding]
    return Display(
        words=np.ascontiguousarray(words),
        slope=slope,
        intercept=intercept,
        windows=tuple(_windows(data_set)),
        voi_lut=gray.voi if isinstance(gray.voi, LookupTable) else None,
        shown=shown,
        inverted=gray.inverted,
        padding=(int(padded.min()), int(padded.max())) if len(padded) else None,
        spacing=_spacing(data_set),
    )


def _windows(data_set: DataSet) -> list[tuple[str, Window]]:
    named = _texts(data_set, VOI_LUT_FUNCTION)[0].upper()
    function = named if named in ("LINEAR_EXACT", "SIGMOID") else "LINEAR"
    names = _texts(data_set, WINDOW_EXPLANATION)
    centers, widths = _texts(data_set, WINDOW_CENTER), _texts(data_set, WINDOW_WIDTH)
    found = []
    for index, (center, width) in enumerate(zip(centers, widths, strict=False)):
        one = window(parse_number(center), parse_number(width), function)
        if one is not None:
            found.append((names[index] if index < len(names) else "", one))
    return found[:_MOST_WINDOWS]


def _spacing(data_set: DataSet) -> Spacing | None:
    calibrated = _pair(data_set, PIXEL_SPACING)
    at_detector = _pair(data_set, IMAGER_PIXEL_SPACING)
    if calibrated is not None:
        # Both alike and no calibration named: it is the detector's, said twice (PS3.3 10.7).
        named = _texts(data_set, PIXEL_SPACING_CALIBRATION_TYPE)[0] != ""
        is_detectors = not named and (at_detector is None or at_detector == calibrated)
        return Spacing(*calibrated, at_detector=is_detectors)
    return Spacing(*at_detector, at_detector=True) if at_detector is not None else None


def _pair(data_set: DataSet, tag: int) -> tuple[float, float] | None:
    numbers = [parse_number(text) for text in _texts(data_set, tag)]
    if len(numbers) != 2 or not all(number is not None and number > 0 for number in numbers):
        return None
    row, column = numbers
    assert row is not None
    assert column is not None
    return row, column


def _texts(data_set: DataSet, tag: int) -> list[str]:
    value = data_set.value(tag, 1024).decode("ascii", "replace")
    return [part.strip(" \0") for part in value.split("\\")]
