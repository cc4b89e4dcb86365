"""EfficientNet-B0 with a fracture head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from models.networks.colour import HALF
from models.networks.efficientnet import efficientnet_features, from_torchvision
from models.networks.feature_network import FeatureNetwork, pooled

PARAMETERS = 4_010_110
"""With two outputs; published as 4.01 M."""

_CHANNELS = 1280


class EfficientNetB0(FeatureNetwork):
    """EfficientNet-B0.

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
        dropout: float = 0.2,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(_CHANNELS, outputs))
        super().__init__(efficientnet_features("efficientnet-b0"), pooled(), head, mean, std)

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the layers inside of each block, see :mod:`models.networks.efficientnet`."""
        return from_torchvision(state)
