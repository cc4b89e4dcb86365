"""The class activation map in closed form: Grad-CAM without a gradient.

Zhou et al., *Learning Deep Features for Discriminative Localization*, CVPR 2016,
doi:10.1109/CVPR.2016.319, equation 2. Where a network's head is the mean over the last feature map
and one linear layer, the gradient of Grad-CAM is that layer's weight, the same at every place: the
two maps differ by a factor alone (a test holds them together).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.networks.mobilenet_v2 import MobileNetV2
from models.reading import ORIENTATIONS, turn_back


def cam_weights(network: nn.Module) -> Tensor | None:
    """Return how much each channel of the last feature map speaks for a fracture, (C,).

    ``None`` where the head is another than a mean and a linear layer.
    """
    head = _linear_head(network)
    if head is None:
        return None
    weight = head.weight.detach()
    return weight[0] if len(weight) == 1 else weight[1] - weight[0]


def _linear_head(network: nn.Module) -> nn.Linear | None:
    if isinstance(network, MobileNetV2):
        layers = [*network.image_head]
    else:
        pool, head = getattr(network, "pool", None), getattr(network, "classifier", None)
        if not (isinstance(pool, nn.Sequential) and isinstance(head, nn.Sequential)):
            return None
        means = len(pool) > 0 and isinstance(pool[0], nn.AdaptiveAvgPool2d)
        if not means or pool[0].output_size != 1:
            return None
        layers = [*head]
    layers = [layer for layer in layers if not isinstance(layer, nn.Dropout)]
    return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None


class CamTap:
    """Makes the map of each pass of a network while it is in the ``with`` block.

    Parameters
    ----------
    network
        With the property ``attended``; it is left as it was.
    weights
        As :func:`cam_weights` returns them.
    """

    def __init__(self, network: nn.Module, weights: Tensor) -> None:
        self._layer: nn.Module = network.attended  # type: ignore[assignment]
        self._weights = weights
        self._maps: list[Tensor] = []

    def __enter__(self) -> CamTap:
        self._handle = self._layer.register_forward_hook(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _listen(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        found = torch.einsum("nchw,c->nhw", output.float(), self._weights.to(output.device))
        self._maps.append(found.relu().cpu())

    def maps(self) -> Tensor:
        """Return the mean over the passes (N, h, w), at least 0, each turned back first."""
        pairs = zip(self._maps, ORIENTATIONS, strict=False)
        return torch.stack([turn_back(each, orientation) for each, orientation in pairs]).mean(0)
