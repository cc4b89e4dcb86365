"""The quality setting that a JPEG was written with, read from its quantisation tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# ITU-T T.81 (09/92), table K.1: luminance, row by row. libjpeg scales it by the quality setting.
_LUMINANCE = np.array(
    [
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    ]
).ravel()


def jpeg_quality(image: Image.Image) -> int | None:
    """Return the quality, 1 to 100, whose libjpeg table is nearest to that of the image.

    Parameters
    ----------
    image
        As Pillow opened it.

    Returns
    -------
    int or None
        ``None`` if the image is no JPEG. A table that libjpeg did not make, a camera's for
        instance, gives the quality that quantises about as hard.
    """
    tables = getattr(image, "quantization", None)
    if not tables:
        return None
    found = np.asarray(tables[min(tables)], dtype=np.float64)
    if found.size != _LUMINANCE.size:
        return None
    distances = [float(np.abs(_table(quality) - found).sum()) for quality in range(1, 101)]
    return int(np.argmin(distances)) + 1


def _table(quality: int) -> NDArray[np.float64]:
    """Return libjpeg's table at a quality, as its ``jpeg_set_quality`` makes it."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled = (_LUMINANCE * percent + 50) // 100
    return np.asarray(np.clip(scaled, 1, 255), dtype=np.float64)
