"""Whether a heatmap shows what the score depends on: deletion, insertion, and one blurred region.

Deletion and insertion follow Petsiuk, Das and Saenko, *RISE: Randomized Input Sampling for
Explanation of Black-box Models*, BMVC 2018, section 4.2, with a blurred radiograph as what is left
or begun with in both (they delete to grey).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import Classifier
from models.explanation.blur import blurred, inside
from models.explanation.copies import probabilities
from models.explanation.heatmap import Heatmap
from models.transforms import PreparedImage

STEPS = 16
"""Points of a curve beyond the untouched image."""

REGION_SHARE = 0.2
"""Side of the blurred region, of the radiograph's longer side: it holds nine of ten fractures of
FracAtlas with some margin, and a twentieth of the film."""

_ELSEWHERE = 4  # random regions to compare with
_RANDOM_CELLS = 12  # a side of the random heatmap: as coarse as a last feature map


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Of one heatmap of one radiograph; probabilities are the classifier's, calibrated.

    Attributes
    ----------
    deletion, insertion
        Mean probability, in [0, 1], while the hottest pixels are blurred first, and while they are
        the first to be put into the blurred radiograph. A faithful heatmap has a low deletion and a
        high insertion score.
    random_deletion, random_insertion
        The same for a random heatmap as smooth as Grad-CAM's: single random pixels would leave
        noise, which no heatmap leaves.
    hottest_drop
        How far the probability falls, in [-1, 1], when a square around the hottest point is
        blurred. 0 where there is no hottest point.
    random_drop
        The mean for squares as large at random points no darker than the radiograph's mean, so that
        air does not make the comparison easy.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    hottest_drop: float
    random_drop: float


def faithfulness(
    classifier: Classifier,
    prepared: PreparedImage,
    heatmap: Heatmap,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Faithfulness:
    """Measure a heatmap by the classifier it explains, in about 4 x ``steps`` forward passes.

    Parameters
    ----------
    classifier, prepared
        Whose score, and of what.
    heatmap
        Of that radiograph, from whatever source.
    steps
        Points of each curve beyond its start, at least 1.
    seed
        Of the random heatmap and the random regions.
    """
    rng = np.random.default_rng(seed)
    soft = blurred(prepared)
    hot, chance = _order(heatmap.grid, rng), _order(_random(prepared, rng).grid, rng)
    before = float(probabilities(classifier, prepared, [prepared.tensor])[0])

    def area(order: NDArray[np.intp], start: Tensor, end: Tensor) -> float:
        copies = _replaced(prepared, order, start, end, steps)
        return float(np.trapezoid(probabilities(classifier, prepared, copies)) / steps)

    return Faithfulness(
        deletion=area(hot, prepared.tensor, soft),
        insertion=area(hot, soft, prepared.tensor),
        random_deletion=area(chance, prepared.tensor, soft),
        random_insertion=area(chance, soft, prepared.tensor),
        hottest_drop=_drop(classifier, prepared, soft, before, _hottest(heatmap)),
        random_drop=_drop(classifier, prepared, soft, before, _anywhere(prepared, rng)),
    )


def _order(grid: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the pixels' indices, hottest first, equally hot ones in random order."""
    flat = grid.ravel()
    return np.lexsort((rng.random(flat.size), -flat))


def _random(prepared: PreparedImage, rng: np.random.Generator) -> Heatmap:
    cells = torch.from_numpy(rng.random((_RANDOM_CELLS, _RANDOM_CELLS)))
    return Heatmap.from_square(cells, prepared, relative=True)


def _replaced(
    prepared: PreparedImage, order: NDArray[np.intp], start: Tensor, end: Tensor, steps: int
) -> list[Tensor]:
    """Return ``start``, and copies in which more and more pixels are those of ``end``."""
    place = inside(prepared)
    source = end[(0, *place)].flatten()
    copies = []
    for step in range(steps + 1):
        chosen = torch.from_numpy(order[: round(len(order) * step / steps)])
        # Of a square film flatten() is a view of it.
        pixels = start[(0, *place)].flatten().clone()
        pixels[chosen] = source[chosen]
        copy = start.clone()
        copy[(0, *place)] = pixels.reshape(prepared.height, prepared.width)
        copies.append(copy)
    return copies


_Point = tuple[float, float]


def _drop(
    classifier: Classifier,
    prepared: PreparedImage,
    soft: Tensor,
    before: float,
    points: list[_Point],
) -> float:
    """Return the mean fall of the probability when a square around each point is blurred."""
    if not points:
        return 0.0
    copies = []
    for point in points:
        copy = prepared.tensor.clone()
        place = (0, *_square(prepared, point))
        copy[place] = soft[place]
        copies.append(copy)
    return float(before - probabilities(classifier, prepared, copies).mean())


def _hottest(heatmap: Heatmap) -> list[_Point]:
    point = heatmap.hottest()
    return [] if point is None else [point]


def _anywhere(prepared: PreparedImage, rng: np.random.Generator) -> list[_Point]:
    """Draw points of the radiograph where there is more than air."""
    film = prepared.tensor[(0, *inside(prepared))].numpy()
    rows, columns = np.nonzero(film >= film.mean())
    drawn = rng.integers(0, len(rows), _ELSEWHERE)
    return [((columns[i] + 0.5) / prepared.width, (rows[i] + 0.5) / prepared.height) for i in drawn]


def _square(prepared: PreparedImage, point: _Point) -> tuple[slice, slice]:
    """Return rows and columns of a square around a point, moved inside where it sticks out."""
    side = max(1, round(REGION_SHARE * max(prepared.width, prepared.height)))
    return (
        _around(point[1], prepared.top, prepared.height, side),
        _around(point[0], prepared.left, prepared.width, side),
    )


def _around(middle: float, first: int, length: int, side: int) -> slice:
    start = min(max(round(middle * length - side / 2), 0), max(0, length - side))
    return slice(first + start, first + min(start + side, length))
