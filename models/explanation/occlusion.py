"""Occlusion: how far the log-odds of a fracture fall when a window of the radiograph is blurred.

Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, ECCV 2014, section 4.2,
with a blur for their grey square. MONAI's ``OcclusionSensitivity`` takes neither a number of
passes nor a callback, and occludes the padding too.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from models.classifier import Classifier
from models.explanation.blur import blurred
from models.explanation.copies import BATCH, OnPass, probabilities
from models.explanation.heatmap import Heatmap
from models.log_odds import log_odds
from models.transforms import PreparedImage

_OVERLAP = 2  # a window is so many steps wide: each place is under four windows


def occlusion(
    classifier: Classifier,
    prepared: PreparedImage,
    passes: int,
    on_pass: OnPass = lambda done, total: None,
) -> Heatmap:
    """Explain what a classifier says of a radiograph.

    Parameters
    ----------
    classifier, prepared
        Whose score, and of what.
    passes
        Most forward passes to spend, at least 2; more give a finer map.
    on_pass
        Called as passes are done.
    """
    windows = _windows(prepared, passes - 1)
    before = log_odds(probabilities(classifier, prepared, [prepared.tensor]))[0]
    on_pass(1, len(windows) + 1)
    replacement = blurred(prepared)
    height, width = prepared.height, prepared.width
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for at in range(0, len(windows), BATCH):
        some = windows[at : at + BATCH]
        copies = [_hidden(prepared, replacement, *window) for window in some]
        for (rows, columns), found in zip(
            some, probabilities(classifier, prepared, copies), strict=True
        ):
            total[rows, columns] += before - log_odds(float(found))
            count[rows, columns] += 1
        on_pass(1 + at + len(some), len(windows) + 1)
    return Heatmap.of(total / np.maximum(count, 1))


def _windows(prepared: PreparedImage, most: int) -> list[tuple[slice, slice]]:
    """Lay at most so many windows over the radiograph, a step apart and two steps wide."""
    down, across = steps(prepared, most)
    return [
        (rows, columns)
        for rows in _slices(prepared.height, down)
        for columns in _slices(prepared.width, across)
    ]


def steps(prepared: PreparedImage, most: int) -> tuple[int, int]:
    """Return rows and columns of a grid of square-like cells, at most ``most`` of them."""
    most = max(1, most)
    ratio = prepared.height / prepared.width
    down = min(max(1, round(math.sqrt(most * ratio))), most, prepared.height)
    across = min(max(1, int(most / down)), prepared.width)
    return down, across


def _slices(length: int, count: int) -> list[slice]:
    """Return ``count`` windows that together cover a length."""
    step = length / (count + _OVERLAP - 1)
    return [
        slice(math.floor(index * step), math.ceil((index + _OVERLAP) * step))
        for index in range(count)
    ]


def _hidden(prepared: PreparedImage, replacement: Tensor, rows: slice, columns: slice) -> Tensor:
    """Return the square with one window of its radiograph replaced."""
    covered = torch.zeros_like(prepared.tensor, dtype=torch.bool)
    radiograph = covered[
        :,
        prepared.top : prepared.top + prepared.height,
        prepared.left : prepared.left + prepared.width,
    ]
    radiograph[:, rows, columns] = True
    return torch.where(covered, replacement, prepared.tensor)
