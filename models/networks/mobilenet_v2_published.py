"""MobileNetV2 as the published fracture studies have it: no map, and one of two heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from models.networks.colour import HALF
from models.networks.feature_network import FeatureNetwork, pooled
from models.networks.mobilenet_v2 import LAST_CHANNELS, initialise, mobilenet_features

POOLED_PARAMETERS = 2_226_434
"""With two outputs. One study says about 3.5 M: that is with the 1000 classes of ImageNet."""

DENSE_PARAMETERS = 34_338_050
"""With the dense head at 224 pixels: 94 % of it in one layer."""

_HEADS = ("pooled", "dense")
_HIDDEN = 512
_STRIDE = 32


class MobileNetV2Published(FeatureNetwork):
    """MobileNetV2 with the head of one published study or the other.

    Parameters
    ----------
    head
        ``"pooled"``: global average, dropout, linear. ``"dense"``: Flatten, Dense 512 with ReLU,
        dropout, linear. The study of the latter has a sigmoid on each of its two outputs; here
        their difference is the logit.
    size
        Side of the image in pixels, a multiple of 32: the dense head fits no other.
    outputs
        2, or 1.
    dropout
        Share dropped before the last layer in training, in [0, 1): 0.2 and 0.5 where none is given.
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        head: str = "pooled",
        size: int = 224,
        outputs: int = 2,
        dropout: float | None = None,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        if head not in _HEADS:
            raise ValueError(f"head must be one of {', '.join(_HEADS)}, not {head!r}")
        if head == "pooled":
            pool = pooled()
            classifier = _pooled_head(outputs, 0.2 if dropout is None else dropout)
        else:
            pool = nn.Sequential(nn.Flatten())
            classifier = _dense_head(size, outputs, 0.5 if dropout is None else dropout)
        super().__init__(mobilenet_features(), pool, classifier, mean, std)
        initialise(self)

    @classmethod
    def arguments_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Tell the heads apart too: the dense one has two linear layers."""
        head = "dense" if "classifier.3.weight" in state else "pooled"
        return {"head": head, **super().arguments_of(state)}


def _pooled_head(outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(LAST_CHANNELS, outputs))


def _dense_head(size: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(LAST_CHANNELS * (size // _STRIDE) ** 2, _HIDDEN),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(_HIDDEN, outputs),
    )
