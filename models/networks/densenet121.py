"""DenseNet-121 (Huang et al., *Densely Connected Convolutional Networks*, CVPR 2017, table 1).

The layers are MONAI's, which differ from torchvision's by ``.layers.`` in their names alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from monai.networks.nets.densenet import DenseNet121 as Backbone
from torch import Tensor, nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork, pooled, without_other_classes

PARAMETERS = 6_955_906
"""With two outputs."""

_CHANNELS = 1024
# torchvision's own ImageNet file still has the names of 2017, with a dot: denselayer1.norm.1.weight
_LAYER = re.compile(r"(features\.denseblock\d+\.denselayer\d+)\.(norm|conv)\.?([12])\.(\w+)")


class DenseNet121(FeatureNetwork):
    """DenseNet-121 with a fracture head.

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
        dropout: float = 0.0,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        features = Backbone(spatial_dims=2, in_channels=3, out_channels=outputs).features
        # Not in place, as MONAI has it: Grad-CAM reads its output.
        features.add_module("relu5", nn.ReLU())
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(_CHANNELS, outputs))
        super().__init__(features, pooled(), head, mean, std)

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Put ``.layers.`` into the names of dense layers; ``classifier`` is ``classifier.1``."""
        return without_other_classes({_renamed(name): value for name, value in state.items()})


def _renamed(name: str) -> str:
    if name in ("classifier.weight", "classifier.bias"):
        return name.replace("classifier.", "classifier.1.")
    return _LAYER.sub(r"\1.layers.\2\3.\4", name)
