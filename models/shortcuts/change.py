"""Changes of a film that leave its bones and its label as they are."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_Pixels = NDArray[np.uint8]
_NEARLY_SQUARE = 1.1


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is changed.

    Attributes
    ----------
    cue
        Which cue it moves.
    name
        What is done.
    apply
        From grey uint8 (H, W) to grey uint8 of any size.
    """

    cue: str
    name: str
    apply: Callable[[_Pixels], _Pixels]


def _recompress(quality: int, pixels: _Pixels) -> _Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _resize_and_back(share: float, pixels: _Pixels) -> _Pixels:
    height, width = pixels.shape
    small = (max(1, round(width * share)), max(1, round(height * share)))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BILINEAR)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _pad(value: int, pixels: _Pixels) -> _Pixels:
    """Border the shorter side to a square; a film that nearly is one, to 4 by 3."""
    height, width = pixels.shape
    longest = max(height, width)
    if longest <= _NEARLY_SQUARE * min(height, width):
        height, width = height, max(width, round(height * 4 / 3))
    else:
        height = width = longest
    down, across = height - pixels.shape[0], width - pixels.shape[1]
    borders = ((down // 2, down - down // 2), (across // 2, across - across // 2))
    return np.pad(pixels, borders, constant_values=value)


def _shift(levels: float, pixels: _Pixels) -> _Pixels:
    return _clipped(pixels.astype(np.float32) + levels)


def _contrast(factor: float, pixels: _Pixels) -> _Pixels:
    mean = float(pixels.mean())
    return _clipped((pixels.astype(np.float32) - mean) * factor + mean)


def _gamma(exponent: float, pixels: _Pixels) -> _Pixels:
    return _clipped(255.0 * (pixels.astype(np.float32) / 255.0) ** exponent)


def _clipped(values: NDArray[np.float32]) -> _Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CHANGES = (
    *(
        Change("JPEG quality", f"compressed at quality {q}", functools.partial(_recompress, q))
        for q in (90, 60, 30)
    ),
    *(
        Change("image size", f"at {share:.0%} and back", functools.partial(_resize_and_back, share))
        for share in (0.75, 0.5)
    ),
    Change("aspect ratio", "black borders", functools.partial(_pad, 0)),
    Change("aspect ratio", "white borders", functools.partial(_pad, 255)),
    Change("mean intensity", "25 levels darker", functools.partial(_shift, -25.0)),
    Change("mean intensity", "25 levels brighter", functools.partial(_shift, 25.0)),
    Change("spread of intensity", "contrast x 0.7", functools.partial(_contrast, 0.7)),
    Change("spread of intensity", "contrast x 1.3", functools.partial(_contrast, 1.3)),
    Change("spread of intensity", "gamma 0.7", functools.partial(_gamma, 0.7)),
    Change("spread of intensity", "gamma 1.4", functools.partial(_gamma, 1.4)),
)
"""What is done to each film, one at a time."""
