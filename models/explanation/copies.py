"""What a classifier says of altered copies of one radiograph."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import Classifier
from models.transforms import PreparedImage

OnPass = Callable[[int, int], None]
"""Called as forward passes are done, with how many and of how many."""

BATCH = 8


def probabilities(
    classifier: Classifier, prepared: PreparedImage, tensors: Sequence[Tensor]
) -> NDArray[np.float64]:
    """Return the probability of a fracture for each altered copy.

    Parameters
    ----------
    classifier
        As :func:`models.classifier.load_classifier` gives it.
    prepared
        The radiograph.
    tensors
        Its copies, each (1, S, S) in [-1, 1].
    """
    copies = [dataclasses.replace(prepared, tensor=tensor) for tensor in tensors]
    found: list[float] = []
    for at in range(0, len(copies), BATCH):
        found += [item.probability for item in classifier.score(copies[at : at + BATCH])]
    return np.array(found)
