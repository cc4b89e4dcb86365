"""The grey of a radiograph, of the size in which it is shown to those who see pictures alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screening.dicom.intact import require_intact
from screening.dicom.pixels import read_pixels

LONGER_SIDE = 1024

Film = NDArray[np.uint8]
"""Shape (rows, columns), the longer side at most `LONGER_SIDE`."""

ReadFilm = Callable[[Path], Film]


def read_film(path: Path) -> Film:
    """Decode a radiograph of the archive, in the sense in which it is displayed.

    Raises
    ------
    PixelError
        If it cannot be decoded, or its file holds another image.
    """
    require_intact(path)
    grey = Image.fromarray((read_pixels(path, LONGER_SIDE) * 255).astype(np.uint8))
    grey.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey)
