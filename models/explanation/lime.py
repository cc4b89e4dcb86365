"""LIME: a sparse linear model of what the classifier says when parts of a radiograph are blurred.

Ribeiro, Singh and Guestrin, *"Why Should I Trust You?": Explaining the Predictions of Any
Classifier*, KDD 2016, doi:10.1145/2939672.2939778; Captum's implementation. The superpixels are
the cells of a grid: colour segmentations have little to hold on to in a radiograph.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.classifier import Classifier
from models.explanation.blur import blurred, inside
from models.explanation.copies import BATCH, OnPass, probabilities
from models.explanation.heatmap import Heatmap
from models.explanation.occlusion import steps
from models.log_odds import log_odds
from models.transforms import PreparedImage
from screening.errors import DependencyError

_PASSES_PER_CELL = 4  # a linear model needs a few samples for each of its coefficients
_MOST_CELLS = 144


def lime(
    classifier: Classifier,
    prepared: PreparedImage,
    passes: int,
    on_pass: OnPass = lambda done, total: None,
    seed: int = 0,
) -> Heatmap:
    """Explain what a classifier says of a radiograph.

    Parameters
    ----------
    classifier, prepared
        Whose score, and of what.
    passes
        Forward passes to spend, at least 8; the grid is finer with more.
    on_pass
        Called as passes are done.
    seed
        Of the drawn perturbations.

    Raises
    ------
    DependencyError
        If Captum is not installed.
    """
    try:
        from captum.attr import Lime
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"{error.name} is not installed: pip install 'nightread[train]'"
        ) from None
    done = 0

    def score(copies: Tensor) -> Tensor:
        nonlocal done
        found = probabilities(classifier, prepared, list(copies))
        done += len(copies)
        on_pass(min(done, passes), passes)
        return torch.from_numpy(log_odds(found)).float()

    places = _superpixels(prepared, passes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = Lime(score).attribute(
            prepared.tensor[None],
            baselines=blurred(prepared)[None],
            feature_mask=places[None, None],
            n_samples=passes,
            perturbations_per_eval=BATCH,
        )
    return Heatmap.of(np.asarray(weights[0, 0][inside(prepared)]))


def _superpixels(prepared: PreparedImage, passes: int) -> Tensor:
    """Give each cell of a grid over the radiograph a number; the padding is of the first cell.

    Blurring leaves the padding as it is, so it makes no difference to that cell.
    """
    down, across = steps(prepared, min(_MOST_CELLS, passes // _PASSES_PER_CELL))
    rows = torch.arange(prepared.height) * down // prepared.height
    columns = torch.arange(prepared.width) * across // prepared.width
    places = torch.zeros(prepared.tensor.shape[-2:], dtype=torch.long)
    places[inside(prepared)] = rows[:, None] * across + columns[None, :]
    return places
