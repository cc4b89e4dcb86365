"""Where a heatmap is hot: the regions that an outline is drawn around."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SHARE_OF_HOTTEST = 0.5
_LEAST_HEAT = 64
_MOST = 5


def read_heat(picture: bytes) -> NDArray[np.uint8]:
    """Return a kept heatmap as uint8 of shape (rows, columns), 255 the hottest there can be."""
    with Image.open(io.BytesIO(picture)) as opened:
        return np.asarray(opened.convert("L"))


def hot_regions(heat: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """Return rectangles around what is at least half as hot as the hottest point.

    Parameters
    ----------
    heat
        Shape (rows, columns), uint8, over the radiograph from edge to edge.

    Returns
    -------
    list of tuple
        Left, top, right and bottom, in shares of width and height; the hottest first, five at most,
        none where nothing is hot.
    """
    hottest = int(heat.max(initial=0))
    if hottest < _LEAST_HEAT:
        return []
    labels = _labelled(heat >= hottest * _SHARE_OF_HOTTEST)
    rows, columns = heat.shape
    found = []
    for label in range(1, int(labels.max()) + 1):
        place = np.nonzero(labels == label)
        top, bottom = int(place[0].min()), int(place[0].max()) + 1
        left, right = int(place[1].min()), int(place[1].max()) + 1
        box = left / columns, top / rows, right / columns, bottom / rows
        found.append((int(heat[place].max()), box))
    found.sort(key=lambda each: -each[0])
    return [box for _, box in found[:_MOST]]


def _labelled(hot: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give each connected part of a mask a number from 1, sides and corners touching."""
    labels = np.zeros(hot.shape, np.int32)
    number = 0
    for start in zip(*np.nonzero(hot), strict=True):
        if labels[start]:
            continue
        number += 1
        labels[start] = number
        waiting = [start]
        while waiting:
            row, column = waiting.pop()
            around = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
            new = hot[around] & (labels[around] == 0)
            labels[around][new] = number
            for down, right in zip(*np.nonzero(new), strict=True):
                waiting.append((around[0].start + down, around[1].start + right))
    return labels
