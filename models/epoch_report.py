"""How one epoch of a training went."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How one epoch went: what the console shows and ``history.json`` keeps.

    Attributes
    ----------
    epoch, epochs
        Counted from 1, and their number.
    loss
        Mean over the epoch's batches.
    validation_auc
        Of the sum of the network's two logits, on the validation split.
    seconds
        Of training and validation.
    best
        Whether its weights are the ones to keep so far.
    validation_loss
        Cross-entropy of the image's own logit on the validation split.
    learning_rate
        At the epoch's end.
    """

    epoch: int
    epochs: int
    loss: float
    validation_auc: float
    seconds: float
    best: bool
    validation_loss: float = math.nan
    learning_rate: float = math.nan
