"""EfficientNet-B0 with a fracture head."""

from __future__ import annotations

from collections.abc import Sequence

from models.networks.colour import HALF
from models.networks.efficientnet import EfficientNet

PARAMETERS = 4_010_110
"""With two outputs; published as 4.01 M."""


class EfficientNetB0(EfficientNet):
    """EfficientNet-B0; the parameters are those of :class:`EfficientNet`."""

    def __init__(
        self,
        outputs: int = 2,
        dropout: float = 0.2,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        super().__init__("b0", 1280, outputs, dropout, mean, std)
