"""ResNet-18 (He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016, table 1).

The layers are MONAI's, with the strides and the biasless shortcuts of torchvision's, so that its
checkpoints compute here what they computed there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from monai.networks.nets.resnet import resnet18
from torch import Tensor, nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork, pooled, without_other_classes

PARAMETERS = 11_177_538
"""With two outputs; published as 11.2 M."""

_CHANNELS = 512
_PARTS = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")


class ResNet18(FeatureNetwork):
    """ResNet-18 with a fracture head.

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
        backbone = resnet18(
            pretrained=False,
            spatial_dims=2,
            n_input_channels=3,
            conv1_t_stride=2,
            bias_downsample=False,
            feed_forward=False,
        )
        features = nn.Sequential(OrderedDict((name, getattr(backbone, name)) for name in _PARTS))
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(_CHANNELS, outputs))
        super().__init__(features, pooled(), head, mean, std)

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename ``conv1.weight`` to ``features.conv1.weight``, ``fc`` to ``classifier.1``."""
        return without_other_classes({_renamed(name): value for name, value in state.items()})


def _renamed(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "fc":
        return f"classifier.1.{rest}"
    return f"features.{name}" if part in _PARTS else name
