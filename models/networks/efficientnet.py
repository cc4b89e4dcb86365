"""EfficientNet (Tan and Le, ICML 2019, arXiv:1905.11946), of MONAI's layers.

MONAI's follow the TensorFlow original: padding that depends on the image's size and is uneven, and
batch norms with other constants. torchvision's checkpoints were made with even padding and with
PyTorch's batch norms. So is this network, and it takes an image of any size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from monai.networks.nets.efficientnet import EfficientNetBN
from torch import Tensor, nn

from models.networks.feature_network import FeatureNetwork, pooled, without_other_classes

_BLOCK = re.compile(r"(features\.[1-7]\.\d+)\.block\.(\d)\.(.+)")
_EXPANDED = ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), (), ("_project_conv", "_bn2")
_SQUEEZE = {"fc1": "_se_reduce", "fc2": "_se_expand"}


def _features(name: str) -> nn.Sequential:
    """Build the features: stem, seven stages, and the convolution before the pool."""
    built = EfficientNetBN(
        name, pretrained=False, spatial_dims=2, in_channels=3, num_classes=2, norm="batch"
    )
    _pad_evenly(built.modules())
    stem = nn.Sequential(built._conv_stem, built._bn0, nn.SiLU(inplace=True))
    stages = [nn.Sequential(*stage.children()) for stage in built._blocks]
    top = nn.Sequential(built._conv_head, built._bn1, nn.SiLU(inplace=True))
    return nn.Sequential(stem, *stages, top)


class EfficientNet(FeatureNetwork):
    """An EfficientNet with a fracture head.

    Parameters
    ----------
    size
        ``"b0"`` to ``"b4"``.
    channels
        Of its features.
    outputs
        1, or 2 for a softmax.
    dropout
        Share of the pooled features dropped in training, in [0, 1).
    mean, std
        What the weights expect of the pixels.
    """

    def __init__(
        self,
        size: str,
        channels: int,
        outputs: int,
        dropout: float,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, outputs))
        super().__init__(_features(f"efficientnet-{size}"), pooled(), head, mean, std)

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the layers inside of each block from torchvision's numbers to MONAI's names."""
        return without_other_classes({_renamed(name): value for name, value in state.items()})


def _pad_evenly(modules: Iterable[nn.Module]) -> None:
    """Let each convolution pad by itself, by half its kernel, and take MONAI's padding away."""
    for module in list(modules):
        if isinstance(module, nn.Conv2d):
            module.padding = tuple(side // 2 for side in module.kernel_size)
        for name, _ in list(module.named_children()):
            if name.endswith("_padding"):
                setattr(module, name, nn.Identity())


def _renamed(name: str) -> str:
    found = _BLOCK.fullmatch(name)
    if found is None:
        return name
    block, number, rest = found[1], int(found[2]), found[3]
    layer, _, tensor = rest.rpartition(".")
    # The first stage does not expand, and its blocks begin with the depthwise convolution.
    steps = _EXPANDED[1:] if block.startswith("features.1.") else _EXPANDED
    if layer in _SQUEEZE:
        return f"{block}.{_SQUEEZE[layer]}.{tensor}"
    if number < len(steps) and layer in ("0", "1") and steps[number]:
        return f"{block}.{steps[number][int(layer)]}.{tensor}"
    return name
