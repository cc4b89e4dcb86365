"""The sequential CNN of a published study: two convolutions, and nearly all weights in one layer.

Convolutions pad nothing, as is Keras's default: at 224 pixels the last map is 54 by 54, which gives
the published 23.9 million weights. With padding it would be 56 by 56 and 25.7 million.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork

PARAMETERS = 23_907_521
"""At 224 pixels; published as 23.9 M."""

_WIDTHS = (32, 64)
_HIDDEN = 128


class SequentialCNN(FeatureNetwork):
    """Conv 32, pool, Conv 64, pool, Flatten, Dropout, Dense 128, Dense 1.

    Parameters
    ----------
    size
        Side of the image in pixels: the flattened layer fits no other.
    outputs
        1, as published, or 2 for a softmax.
    dropout
        Share of the flattened features dropped in training, in [0, 1).
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        size: int = 224,
        outputs: int = 1,
        dropout: float = 0.5,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        features, channels, side = nn.Sequential(), 3, size
        for width in _WIDTHS:
            features.extend([nn.Conv2d(channels, width, 3), nn.ReLU(), nn.MaxPool2d(2)])
            channels, side = width, (side - 2) // 2
        head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels * side**2, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, outputs),
        )
        super().__init__(features, nn.Flatten(), head, mean, std)
