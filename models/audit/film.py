"""One image file, decoded once: the digest of its pixels, a thumbnail, or what is wrong with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.audit.folder import is_dicom
from models.image_file import Grey, grey, pixel_digest, read_grey
from screening.dicom.pixels import read_pixels as read_dicom_pixels
from screening.dicom.quality import BLANK_SPREAD
from screening.errors import NightreadError

THUMBNAIL = 64
"""Side of a thumbnail in pixels."""


class Fault(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    CORRUPT = "corrupt"
    TRUNCATED = "truncated"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Film:
    """What an audit keeps of a file.

    Attributes
    ----------
    digest
        SHA-256 of the grey pixels with their type and shape; empty where there are none.
    thumbnail
        uint8, shape (64, 64), stretched to a square; ``None`` where there is nothing to see.
    width, height
        In pixels; 0 where unknown.
    fault
        What is wrong, or ``None``. A truncated or blank film has pixels all the same.
    detail
        On the fault, for a person.
    """

    digest: str = ""
    thumbnail: NDArray[np.uint8] | None = None
    width: int = 0
    height: int = 0
    fault: Fault | None = None
    detail: str = ""


def read_film(path: Path) -> Film:
    """Decode a JPEG, PNG or DICOM file; a bad one comes back with its fault.

    Pictures become grey as `models.dataset.read_pixels` makes them grey, with all bits where they
    have more than eight; DICOM as it is displayed (`screening.dicom.pixels.read_pixels`).
    """
    try:
        if not path.is_file():
            return Film(fault=Fault.MISSING, detail="there is no such file")
        if path.stat().st_size == 0:
            return Film(fault=Fault.CORRUPT, detail="the file is empty")
        if is_dicom(path):
            return _film(read_dicom_pixels(path))
    except NightreadError as error:
        return Film(fault=Fault.CORRUPT, detail=str(error))
    except (OSError, ValueError) as error:
        return Film(fault=Fault.CORRUPT, detail=f"cannot be opened ({type(error).__name__})")
    return _read_picture(path)


def _read_picture(path: Path) -> Film:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _film(grey(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Film(fault=Fault.CORRUPT, detail="more pixels than any radiograph has")
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error, zlib.error.
        return _as_far_as_it_goes(path, error)


def _as_far_as_it_goes(path: Path, error: Exception) -> Film:
    try:
        film = _film(read_grey(path))
    except Exception:
        # Whatever a reader raises here, the file holds no picture.
        return Film(fault=Fault.CORRUPT, detail=f"no image in it ({type(error).__name__})")
    detail = "ends too early or is damaged; the rest of the picture is grey"
    return Film(film.digest, film.thumbnail, film.width, film.height, Fault.TRUNCATED, detail)


def _film(pixels: Grey) -> Film:
    height, width = pixels.shape
    digest = pixel_digest(pixels)
    thumbnail = _thumbnail(pixels)
    low, high = np.percentile(thumbnail, (1, 99))
    if high - low < BLANK_SPREAD * 255:
        detail = "nothing to see: one brightness all over"
        return Film(digest, None, width, height, Fault.BLANK, detail)
    return Film(digest, thumbnail, width, height)


def _thumbnail(pixels: Grey) -> NDArray[np.uint8]:
    """Return the image stretched to a square, over 0 to 255 of its type's range."""
    image = Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=3.0)
    values = np.asarray(small)
    if values.dtype == np.uint8:
        return values
    scale = 255.0 if pixels.dtype == np.float32 else 255.0 / 65535.0
    return np.clip(values * scale, 0, 255).astype(np.uint8)
