"""Whether two files show the same, whatever their headers say and however they are compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import open_data_set
from screening.dicom.frame import stored_words
from screening.dicom.image_pixel import IMAGE_PIXEL_TAGS, image_pixel


def same_pixels(first: Path, second: Path) -> bool:
    """Compare the pixel values of two files; two without pixels are the same.

    Raises
    ------
    HeaderError, DecodeError, OSError
        If one of them cannot be read.
    """
    one, other = _values(first), _values(second)
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _values(path: Path) -> NDArray[np.int32] | None:
    with open_data_set(path, frozenset(IMAGE_PIXEL_TAGS)) as data_set:
        if not data_set.has_pixels():
            return None
        image = image_pixel(data_set)
        words, image = stored_words(data_set, image)
        return image.values_of_words(int(words.max()))[words]
