"""An image as a radiologist sees it, as an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.dicom.data_set import open_data_set
from screening.dicom.frame import stored_words
from screening.dicom.grayscale import GRAYSCALE_TAGS, grayscale, render
from screening.dicom.image_pixel import IMAGE_PIXEL_TAGS, image_pixel
from screening.errors import DecodeError, HeaderError, NoPixelDataError

_WANTED = frozenset((*IMAGE_PIXEL_TAGS, *GRAYSCALE_TAGS))


def read_pixels(path: Path, least_side: int | None = None) -> NDArray[np.float32]:
    """Read the one grey frame of a DICOM file in the sense in which it is displayed.

    The stored words become values (PS3.5 8.1.1), then go through the Modality LUT or rescale
    (PS3.3 C.11.1) and the first VOI LUT or window (C.11.2), or, where there is none, are stretched
    over the range that occurs. MONOCHROME1, and MONOCHROME2 with a Presentation LUT Shape of
    INVERSE, are inverted. Pixel padding (C.7.5.1.1.2) becomes background and does not count for the
    range.

    Parameters
    ----------
    path
        A Part 10 file, or a bare data set.
    least_side
        The longer side that is needed at the least, in pixels: a frame in JPEG 2000 is then decoded
        at the smallest half, quarter or less of its size that has it. ``None`` for every pixel.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        In [0, 1], dense tissue bright, C-contiguous and writeable.

    Raises
    ------
    NoPixelDataError
        There is no pixel data, or nothing in it.
    DecodeError
        The frame is short, damaged, not a single grey frame, or in a transfer syntax that cannot
        be decoded here; the message names what and holds no patient data.
    OSError
        The file cannot be opened.
    """
    try:
        with open_data_set(path, _WANTED) as data_set:
            if not data_set.has_pixels():
                raise NoPixelDataError("the data set has no Pixel Data, or nothing in it")
            image = image_pixel(data_set)
            gray = grayscale(data_set, image)
            # Without a window the darkest and the brightest pixel decide, and a small picture of
            # the frame has not the same ones.
            words, image = stored_words(data_set, image, least_side if gray.voi else None)
            return render(words, image, gray)
    except HeaderError as error:
        raise DecodeError(str(error)) from None
