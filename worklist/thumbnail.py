"""A small picture of a radiograph with its heat over it, for a page that is read far away."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

SIDE = 224
"""The longer side, in pixels."""

_QUALITY = 82
_HOT = (255, 96, 48)
_MOST_OPACITY = 150


def thumbnail(picture: bytes, heat: bytes | None) -> bytes:
    """Return a JPEG of at most `SIDE` pixels.

    Parameters
    ----------
    picture
        The radiograph as PNG.
    heat
        Where a fracture was seen, as PNG in 8 bits of grey that covers it from edge to edge;
        ``None`` for none.
    """
    film = Image.open(io.BytesIO(picture)).convert("RGB")
    film.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if heat is not None:
        spread = Image.open(io.BytesIO(heat)).convert("L").resize(film.size)
        share = np.clip((np.asarray(spread, float) / 255 - 0.15) / 0.6, 0, 1)
        opacity = Image.fromarray((share * _MOST_OPACITY).astype(np.uint8))
        film.paste(Image.new("RGB", film.size, _HOT), mask=opacity)
    written = io.BytesIO()
    film.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
