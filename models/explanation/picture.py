"""A radiograph with its heatmap as a picture: fracture boxes and the hottest point drawn in."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.dataset import Box
from models.explanation.heatmap import Heatmap

_LONGEST = 1024
_BOX, _POINT = (90, 220, 160), (255, 255, 255)


def picture(
    pixels: NDArray[np.float32],
    heatmap: Heatmap,
    boxes: Sequence[Box] = (),
    longest: int = _LONGEST,
) -> Image.Image:
    """Draw a radiograph, its heat, its boxes in green and its hottest point as a white ring.

    Parameters
    ----------
    pixels
        Float32 (H, W) in [0, 1].
    heatmap
        Of that radiograph.
    boxes
        Outlined fractures.
    longest
        Longer side of the picture, in pixels, at most; nothing is enlarged.
    """
    drawn = heatmap.over(_shrunk(pixels, longest))
    pen = ImageDraw.Draw(drawn)
    width, height = drawn.size
    line = max(1, round(max(drawn.size) / 400))
    for box in boxes:
        edges = (box.left * width, box.top * height, box.right * width, box.bottom * height)
        pen.rectangle(_ordered(edges), outline=_BOX, width=line)
    point = heatmap.hottest()
    if point is not None:
        pen.circle((point[0] * width, point[1] * height), 4 * line, outline=_POINT, width=line)
    return drawn


def png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _shrunk(pixels: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    scale = longest / max(pixels.shape)
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    # A reducing bilinear filter of Pillow averages over what it leaves out.
    small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32).clip(0, 1)


def _ordered(edges: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Keep a box that has less than a pixel from being upside down."""
    left, top, right, bottom = edges
    return left, top, max(left, right), max(top, bottom)
