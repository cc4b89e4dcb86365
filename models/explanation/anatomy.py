"""Where on a film the patient is, and how much of a heatmap lies elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.explanation.blur import inside
from models.explanation.heatmap import Heatmap
from models.transforms import PreparedImage

_SIDE = 64  # of the film on which it is decided, in pixels
_LEVELS = 64


def outside_share(heatmap: Heatmap, prepared: PreparedImage) -> float:
    """Return how much of a heatmap's heat lies outside the anatomy, in [0, 1]; 0 without heat.

    The anatomy is what is brighter than Otsu's threshold (*A Threshold Selection Method from
    Gray-Level Histograms*, 1979, doi:10.1109/TSMC.1979.4310076), and a margin around it, since soft
    tissue at the skin is as dark as air.
    """
    film = prepared.tensor[(0, *inside(prepared))].float().numpy()
    scale = _SIDE / max(film.shape)
    width, height = (max(1, round(side * scale)) for side in film.shape[::-1])
    small = np.asarray(Image.fromarray(film).resize((width, height), Image.Resampling.BOX))
    heat = heatmap.resized(width, height)
    total = float(heat.sum())
    if total <= 0:
        return 0.0
    anatomy = _widened(small > _otsu(small))
    return float(heat[~anatomy].sum()) / total


def _otsu(values: NDArray[np.float32]) -> float:
    counts, edges = np.histogram(values, _LEVELS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    found = np.nan_to_num(between[:-1])
    return float(edges[int(found.argmax()) + 1])


def _widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask and the pixels up to two steps away from it."""
    padded = np.pad(mask, 2)
    rows, columns = mask.shape
    shifts = [
        padded[down : down + rows, right : right + columns]
        for down in range(5)
        for right in range(5)
    ]
    found: NDArray[np.bool_] = np.logical_or.reduce(shifts)
    return found
