"""JPEG 2000 at a fraction of its resolution: what the wavelet holds ready (ISO/IEC 15444-1).

Each level of decomposition halves the image by a low-pass filter, so that a small picture of a film
of 5 megapixels costs a thirteenth of the film itself.
"""

from __future__ import annotations

import io
from typing import cast

import numpy as np

from screening.dicom.codestream import codestream_precision
from screening.dicom.image_pixel import ImagePixel
from screening.dicom.words import Words


def decode_reduced(frame: bytes, image: ImagePixel, least_side: int) -> Words | None:
    """Decode one frame no larger than it is needed.

    Parameters
    ----------
    frame
        A codestream, bare or in a JP2 file.
    image
        What the header says of it.
    least_side
        The longer side that is needed at the least, in pixels.

    Returns
    -------
    ndarray of uint8 or uint16, or None
        The frame halved as often as the longer side allows. ``None`` where it cannot be halved, or
        where it would not be the same picture: padding and signed values would be blended with
        their neighbours, and what is damaged or unusual is left to who decodes the whole.
    """
    halvings = (max(image.rows, image.columns) // max(least_side, 1)).bit_length() - 1
    precision = codestream_precision(frame)
    if halvings < 1 or image.padding is not None or image.signed or precision is None:
        return None
    # Pillow and openjpeg round some sizes differently: then one halving less may do.
    for times in range(halvings, 0, -1):
        words = _halved(frame, times)
        expected = tuple(-(-side >> times) for side in (image.rows, image.columns))
        if words is not None and words.shape == expected:
            # Pillow moves samples up to fill its 8 or 16 bits.
            unused = words.itemsize * 8 - precision
            return cast(Words, words >> unused if unused else words)
    return None


def _halved(frame: bytes, times: int) -> Words | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(frame), formats=["JPEG2000"]) as picture:
            # Of a JPEG 2000 file it is a setting; of other images it is a method of that name.
            picture.reduce = times  # type: ignore[method-assign, assignment]
            words = np.asarray(picture)
    except MemoryError:
        raise
    except Exception:
        # Fewer levels than asked for, a size that it cannot take, or damaged.
        return None
    return cast(Words, words) if words.dtype in (np.uint8, np.uint16) else None
