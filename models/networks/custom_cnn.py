"""The custom CNN of a published study: 3 by 3 convolutions, batch norm, pooling, dropout, softmax.

The study prints neither widths nor depth, only 5.6 million parameters. Three convolutions of 32, 64
and 128 channels without padding, and a hidden layer of 64, are the plainest of this kind with that
many at 224 pixels: they are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork

PARAMETERS = 5_631_682
"""At 224 pixels; published as 5.6 M."""

_WIDTHS = (32, 64, 128)
_HIDDEN = 64


class CustomCNN(FeatureNetwork):
    """Conv 32, 64, 128, each with batch norm and pool; Flatten, Dense 64, Dropout, softmax.

    Parameters
    ----------
    size
        Side of the image in pixels: the flattened layer fits no other.
    outputs
        2 for the published softmax, or 1.
    dropout
        Share of the hidden layer dropped in training, in [0, 1).
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        size: int = 224,
        outputs: int = 2,
        dropout: float = 0.5,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        features, channels, side = nn.Sequential(), 3, size
        for width in _WIDTHS:
            convolution = nn.Conv2d(channels, width, 3)
            features.extend([convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)])
            channels, side = width, (side - 2) // 2
        head = nn.Sequential(
            nn.Linear(channels * side**2, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN, outputs),
        )
        super().__init__(features, nn.Flatten(), head, mean, std)
