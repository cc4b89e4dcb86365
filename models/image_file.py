"""An image file of a labelled set as grey pixels: JPEG, PNG or DICOM."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from models.audit.folder import is_dicom
from screening.dicom.pixels import read_pixels as read_dicom_pixels
from screening.errors import NightreadError, TrainingError

Grey = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]

# Pillow knows the setting only for the whole process.
_truncated_allowed = threading.Lock()


def read_grey(path: Path) -> Grey:
    """Read an image with all the bits it has, shape (H, W).

    JPEG and PNG become uint8, PNG of sixteen bits uint16 (int32 in some of Pillow's modes), DICOM
    float32 in [0, 1] as it is displayed. A JPEG or PNG whose end is missing gives what it holds:
    the absent rows come out mid-grey or black. In the FracAtlas set all such files are normals, so
    leaving them out would teach a shortcut.

    Raises
    ------
    TrainingError
        If the file is no image at all.
    """
    try:
        if is_dicom(path):
            return read_dicom_pixels(path)
        return _read_picture(path)
    except NightreadError as error:
        raise _refusal(path, str(error)) from error
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error, zlib.error.
        raise _refusal(path, type(error).__name__) from error


def _refusal(path: Path, reason: str) -> TrainingError:
    return TrainingError(
        f"{path} cannot be read as an image ({reason}): replace it or take its row out of the table"
    )


def _read_picture(path: Path) -> Grey:
    with _truncated_allowed:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with Image.open(path) as image:
                return grey(image)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def grey(image: Image.Image) -> Grey:
    """Return a picture's pixels as grey, shape (rows, columns)."""
    if image.mode.startswith(("I", "F")):
        return np.asarray(image)
    return np.asarray(image.convert("L"))


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read an image as grey, uint8 (H, W); see `read_grey`, of whose bits the upper eight are kept.

    Raises
    ------
    TrainingError
        If the file is no image at all.
    """
    pixels = read_grey(path)
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    eight: NDArray[np.uint8] = np.rint(unit_range(pixels) * 255.0).astype(np.uint8)
    return eight


def unit_range(pixels: Grey) -> NDArray[np.float32]:
    """Return pixels as float32 in [0, 1], over the range of their type.

    Integers wider than eight bits count as of sixteen.
    """
    values = pixels.astype(np.float32)
    if pixels.dtype != np.float32:
        values /= 255 if pixels.dtype == np.uint8 else 65535
    return np.clip(values, 0, 1, out=values)


def pixel_digest(pixels: Grey) -> str:
    """Return the SHA-256 of pixels with their type and shape, as hexadecimal digits."""
    height, width = pixels.shape
    kind = f"{pixels.dtype} {height} {width} ".encode()
    return hashlib.sha256(kind + np.ascontiguousarray(pixels).tobytes()).hexdigest()
