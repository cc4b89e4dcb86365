"""The compact CNN of a published study, for images of 64 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork, pooled

PARAMETERS = 438_530
"""The study prints no number."""

_WIDTHS = (64, 128, 256)
_HIDDEN = 256


class CompactCNN(FeatureNetwork):
    """Conv 64, 128, 256, each with batch norm and pool; global average; Dense 256; softmax.

    Parameters
    ----------
    outputs
        2 for the published softmax, or 1.
    dropout
        Share of the hidden layer dropped in training, in [0, 1); the study prints none.
    mean, std
        What the weights expect of the pixels.
    """

    published_size: ClassVar[int] = 64

    def __init__(
        self,
        outputs: int = 2,
        dropout: float = 0.5,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        features, channels = nn.Sequential(), 3
        for width in _WIDTHS:
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            features.extend([convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)])
            channels = width
        head = nn.Sequential(
            nn.Linear(channels, _HIDDEN),
            nn.BatchNorm1d(_HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN, outputs),
        )
        super().__init__(features, pooled(), head, mean, std)
