"""EfficientNet-B3 with a fracture head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from models.networks.colour import HALF
from models.networks.efficientnet import efficientnet_features, from_torchvision
from models.networks.feature_network import FeatureNetwork, pooled

PARAMETERS = 10_699_306
"""With two outputs; published as 10.7 M."""

_CHANNELS = 1536


class EfficientNetB3(FeatureNetwork):
    """EfficientNet-B3.

    Parameters
    ----------
    outputs
        1, or 2 for a softmax.
    dropout
        Share of the pooled features dropped in training, in [0, 1).
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        outputs: int = 2,
        dropout: float = 0.3,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(_CHANNELS, outputs))
        super().__init__(efficientnet_features("efficientnet-b3"), pooled(), head, mean, std)

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the layers inside of each block, see :mod:`models.networks.efficientnet`."""
        return from_torchvision(state)
