"""The JPEG family of ISO/IEC 10918-1: Baseline, Extended and Lossless frames of one grey component.

All by libjpeg-turbo, as imagecodecs carries it. It reads a lossless film of 5 megapixels in 25 ms
where GDCM takes 160, and 12-bit Extended frames, for which there is no other decoder under a
permissive licence.
"""

from __future__ import annotations

import importlib.util

import numpy as np

from screening.dicom.image_pixel import ImagePixel
from screening.dicom.words import Words
from screening.errors import DecodeError

_EOI = b"\xff\xd9"
_MOST_PADDING = 512
"""Bytes that may follow the end. PS3.5 A.4 pads a fragment by one; some senders add more."""


def can_decode_jpeg() -> bool:
    """Say whether the decoder is installed."""
    return importlib.util.find_spec("imagecodecs") is not None


def decode_jpeg(frame: bytes, image: ImagePixel) -> Words:
    """Decode one frame.

    Parameters
    ----------
    frame
        A JPEG codestream.
    image
        What the header says of it.

    Returns
    -------
    ndarray of uint8 or uint16, shape (rows, columns)

    Raises
    ------
    DecodeError
        If it breaks off, or does not have one component of the header's size.
    Exception
        Whatever the decoder raises on damaged data.
    """
    import imagecodecs

    # libjpeg warns of a frame that breaks off, and makes up the rest.
    if frame.rfind(_EOI, max(0, len(frame) - _MOST_PADDING)) < 0:
        raise DecodeError("they break off before their end")
    words: Words = imagecodecs.jpeg8_decode(frame)
    if words.shape != (image.rows, image.columns) or words.dtype not in (np.uint8, np.uint16):
        raise DecodeError("they are not one grey frame of the header's size")
    return words
