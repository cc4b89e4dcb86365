"""From stored values to brightness: Modality LUT, VOI LUT, and the sense of the display.

The steps are those of PS3.4 N.2.1, up to the Presentation LUT. Each depends on one pixel's value
alone, so that the whole way is worked out once per stored word, in float64, and an image costs a
single lookup per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import DataSet
from screening.dicom.image_pixel import ImagePixel
from screening.dicom.lookup_table import LUT_TAGS, LookupTable, lookup_table
from screening.dicom.values import parse_number
from screening.dicom.window import Window, window
from screening.dicom.words import Words

WINDOW_CENTER = 0x00281050
WINDOW_WIDTH = 0x00281051
RESCALE_INTERCEPT = 0x00281052
RESCALE_SLOPE = 0x00281053
VOI_LUT_FUNCTION = 0x00281056
MODALITY_LUT_SEQUENCE = 0x00283000
VOI_LUT_SEQUENCE = 0x00283010
PRESENTATION_LUT_SHAPE = 0x20500020

GRAYSCALE_TAGS = (
    WINDOW_CENTER,
    WINDOW_WIDTH,
    RESCALE_INTERCEPT,
    RESCALE_SLOPE,
    VOI_LUT_FUNCTION,
    MODALITY_LUT_SEQUENCE,
    VOI_LUT_SEQUENCE,
    PRESENTATION_LUT_SHAPE,
)

_PIXELS_PER_BLOCK = 131_072
"""A block's indices and results stay in the second-level cache: 4 ms for 5 megapixels, not 10."""


@dataclass(frozen=True, slots=True)
class Grayscale:
    """How an image's values become brightness.

    Attributes
    ----------
    slope, intercept
        Of the rescale (PS3.3 C.11.1); 1 and 0 where there is none.
    modality_lut
        Instead of the rescale, where there is one.
    voi
        A VOI LUT or a window (PS3.3 C.11.2), the first of several, the LUT before the window; or
        ``None``, which shows the range of the values.
    inverted
        Whether low values are bright.
    """

    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: LookupTable | None = None
    voi: LookupTable | Window | None = None
    inverted: bool = False

    def modality_values(self, values: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the Modality LUT's output for stored `values`, of the same shape."""
        if self.modality_lut is not None:
            return self.modality_lut.of(values.astype(np.float64))
        return values.astype(np.float64) * self.slope + self.intercept

    def brightness(
        self, modality_values: NDArray[np.float64], shown: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Return the brightness of `modality_values` in [0, 1], 1 being white.

        Parameters
        ----------
        modality_values
            Output of `modality_values`.
        shown
            The lowest and highest of them in the image, which bound it if there is no VOI.
        """
        if isinstance(self.voi, LookupTable):
            brightness = self.voi.of(modality_values) / ((1 << self.voi.bits) - 1)
        elif self.voi is not None:
            brightness = self.voi.of(modality_values)
        else:
            low, high = shown
            brightness = np.clip((modality_values - low) / ((high - low) or 1.0), 0.0, 1.0)
        return 1.0 - brightness if self.inverted else brightness


def grayscale(data_set: DataSet, image: ImagePixel) -> Grayscale:
    """Return the grayscale transformations of a data set; values that are junk count as absent."""
    slope = _number(data_set, RESCALE_SLOPE) or 1.0
    intercept = _number(data_set, RESCALE_INTERCEPT) or 0.0
    modality_item = data_set.first_item(MODALITY_LUT_SEQUENCE, LUT_TAGS)
    modality_lut = lookup_table(modality_item, negative_inputs=image.signed)
    lowest = -(1 << image.bits_stored - 1) if image.signed else 0
    highest = (1 << image.bits_stored - image.signed) - 1
    negative = min(lowest * slope, highest * slope) + intercept < 0
    voi_item = data_set.first_item(VOI_LUT_SEQUENCE, LUT_TAGS)
    voi_lut = lookup_table(voi_item, negative_inputs=negative and modality_lut is None)
    return Grayscale(
        slope=slope,
        intercept=intercept,
        modality_lut=modality_lut,
        voi=voi_lut or _window(data_set),
        # INVERSE belongs to MONOCHROME1 and says the same (PS3.3 C.8.11.3): one inversion, not two.
        inverted=image.photometric_interpretation == "MONOCHROME1"
        or _text(data_set, PRESENTATION_LUT_SHAPE) == "INVERSE",
    )


def _window(data_set: DataSet) -> Window | None:
    center, width = _number(data_set, WINDOW_CENTER), _number(data_set, WINDOW_WIDTH)
    return window(center, width, _text(data_set, VOI_LUT_FUNCTION))


def _text(data_set: DataSet, tag: int) -> str:
    return data_set.value(tag, 1024).decode("ascii", "replace").split("\\")[0].strip(" \0").upper()


def _number(data_set: DataSet, tag: int) -> float | None:
    return parse_number(_text(data_set, tag))


def render(words: Words, image: ImagePixel, gray: Grayscale) -> NDArray[np.float32]:
    """Return the brightness of each pixel.

    Parameters
    ----------
    words
        Stored words, shape (rows, columns), read as unsigned.
    image
        How they hold values.
    gray
        How values become brightness.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        In [0, 1], 1 being white, C-contiguous. Padding is background: 0, and without influence on
        the range of an image that has no VOI.
    """
    values = image.values_of_words(int(words.max()))
    modality_values = gray.modality_values(values)
    padding = image.is_padding(values)
    shown = (0.0, 0.0) if gray.voi else _range(words, modality_values, padding)
    table = gray.brightness(modality_values, shown).astype(np.float32)
    table[padding] = 0.0
    brightness = np.empty(words.shape, dtype=np.float32)
    rows = max(1, _PIXELS_PER_BLOCK // words.shape[1])
    for start in range(0, words.shape[0], rows):
        # Every word is within the table: "clip" only spares the check.
        block = brightness[start : start + rows]
        np.take(table, words[start : start + rows], out=block, mode="clip")
    return brightness


def _range(
    words: Words, modality_values: NDArray[np.float64], padding: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the lowest and highest value that occurs and is no padding."""
    lowest = int(words.min())
    if not padding[lowest:].any() and np.all(np.diff(modality_values[lowest:]) >= 0):
        return float(modality_values[lowest]), float(modality_values[-1])
    # 15 ms for 5 megapixels: only where the words' order is not that of the values.
    occurs = np.bincount(words.reshape(-1), minlength=len(padding)) > 0
    occurring = modality_values[occurs & ~padding]
    return (float(occurring.min()), float(occurring.max())) if len(occurring) else (0.0, 0.0)
