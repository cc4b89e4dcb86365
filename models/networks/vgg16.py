"""VGG-16 (Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, table 1, column D).

The parameters carry torchvision's names, so its checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork

PARAMETERS = 134_268_738
"""With two outputs; published as 134.27 M."""

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions; then a pool
_MAP = 7  # side to which the last map is pooled, whatever the image's size
_WIDTH = 4096


class VGG16(FeatureNetwork):
    """VGG-16 with a fracture head.

    Parameters
    ----------
    outputs
        1, or 2 for a softmax.
    dropout
        Share dropped before each of the last two linear layers in training, in [0, 1).
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        outputs: int = 2,
        dropout: float = 0.5,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(_MAP), nn.Flatten())
        super().__init__(_features(), pool, _classifier(outputs, dropout), mean, std)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    @property
    def attended(self) -> nn.Module:
        """The last map before it is pooled, at a sixteenth of the image."""
        return self.features[-2]


def _features() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width, convolutions in _STAGES:
        for _ in range(convolutions):
            # Not in place: Grad-CAM reads the last one's output.
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _classifier(outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(_STAGES[-1][0] * _MAP**2, _WIDTH),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(_WIDTH, _WIDTH),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(_WIDTH, outputs),
    )
