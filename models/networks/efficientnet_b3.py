"""EfficientNet-B3 with a fracture head."""

from __future__ import annotations

from collections.abc import Sequence

from models.networks.colour import HALF
from models.networks.efficientnet import EfficientNet

PARAMETERS = 10_699_306
"""With two outputs; published as 10.7 M."""


class EfficientNetB3(EfficientNet):
    """EfficientNet-B3; the parameters are those of :class:`EfficientNet`."""

    def __init__(
        self,
        outputs: int = 2,
        dropout: float = 0.3,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        super().__init__("b3", 1536, outputs, dropout, mean, std)
