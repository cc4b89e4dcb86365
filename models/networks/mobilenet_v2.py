"""MobileNetV2 with two heads: is there a fracture, and where.

The backbone is that of Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*
(CVPR 2018, doi:10.1109/CVPR.2018.00474), table 2, width 1.0. Its parameters carry the names that
torchvision gives them (``features.*``), so public and users' checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.networks.colour import HALF, Colour
from models.networks.feature_network import without_other_classes
from models.networks.logits import FractureLogits

BACKBONE_PARAMETERS = 2_223_872
"""Trainable parameters of ``features``, as in the published ImageNet checkpoints."""

PARAMETERS = 2_403_074
"""With the head that makes the map."""

CELL = 16
"""Side of a cell of the map, in pixels of the network's input."""

LAST_CHANNELS = 1280
"""Of the last feature map."""

# Table 2 of the paper: expansion, output channels, repeats, stride of the first repeat.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_FINE_BLOCKS = 14  # features[0] to features[13]: the last map at a sixteenth of the image
_FINE_CHANNELS = 96
_EMPTY_CELL_LOGIT = -4.0


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU6: the brick of the paper."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; and add the input where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [_convolution(inputs, hidden, 1, 1, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            _convolution(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.adds_input else out


def mobilenet_features() -> nn.Sequential:
    """Build the backbone, 19 blocks named as in torchvision."""
    blocks: list[nn.Module] = [_convolution(3, 32, 3, 2, 1)]
    channels = 32
    for expansion, outputs, repeats, first_stride in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            blocks.append(InvertedResidual(channels, outputs, stride, expansion))
            channels = outputs
    blocks.append(_convolution(channels, LAST_CHANNELS, 1, 1, 1))
    return nn.Sequential(*blocks)


def initialise(network: nn.Module) -> None:
    """Draw first weights: He's for convolutions, small ones for linear layers, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)


class CellHead(nn.Module):
    """A map of logits at a sixteenth of the image, from fine detail and its wider context."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(_FINE_CHANNELS, width, 1)
        self.context = nn.Conv2d(LAST_CHANNELS, width, 1)
        self.mix = _convolution(width, width, 3, 1, width)
        self.logit = nn.Conv2d(width, 1, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Map (N, 96, h, w) and (N, 1280, h/2, w/2) to logits (N, h, w)."""
        context = nn.functional.interpolate(self.context(coarse), size=fine.shape[-2:])
        logits: Tensor = self.logit(self.mix(self.fine(fine) + context))
        return logits.squeeze(1)


class MobileNetV2(nn.Module):
    """MobileNetV2 that gives one logit per image and one per cell of 16 by 16 pixels.

    Parameters
    ----------
    dropout
        Share of the pooled features dropped in training, in [0, 1).
    cell_width
        Channels inside the head that makes the map.
    mean, std
        What the weights expect of the pixels, see :class:`models.networks.colour.Colour`.

    Attributes
    ----------
    published_size
        Side of the images in pixels, of the shipped weights.
    """

    published_size: ClassVar[int] = 384

    def __init__(
        self,
        dropout: float = 0.2,
        cell_width: int = 128,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
    ) -> None:
        super().__init__()
        self.colour = Colour(mean, std)
        self.features = mobilenet_features()
        self.image_head = nn.Sequential(nn.Dropout(dropout), nn.Linear(LAST_CHANNELS, 1))
        self.cell_head = CellHead(cell_width)
        self._initialise()

    def _initialise(self) -> None:
        initialise(self)
        # Cells begin as almost surely empty, as most are: Lin et al. 2017, section 3.3.
        nn.init.normal_(self.cell_head.logit.weight, 0, 0.01)
        if self.cell_head.logit.bias is not None:
            nn.init.constant_(self.cell_head.logit.bias, _EMPTY_CELL_LOGIT)

    def forward(self, images: Tensor) -> FractureLogits:
        """Score a batch.

        Parameters
        ----------
        images
            Float tensor (N, 1, S, S) or (N, 3, S, S), values in [-1, 1]; S a multiple of 32.
            A grey image is given to each of the three colour channels.
        """
        fine = self.features[:_FINE_BLOCKS](self.colour(images))
        coarse = self.features[_FINE_BLOCKS:](fine)
        pooled = torch.mean(coarse, dim=(2, 3))
        return FractureLogits(self.image_head(pooled).squeeze(1), self.cell_head(fine, coarse))

    def embed(self, images: Tensor) -> Tensor:
        """Return the last feature map's mean over the image: (N, 1 or 3, S, S) to (N, 1280)."""
        return torch.mean(self.features(self.colour(images)), dim=(2, 3))

    def blocks(self) -> list[nn.Module]:
        """Return the parts of the backbone, front to back: what a training may hold still."""
        return list(self.features.children())

    @property
    def attended(self) -> nn.Module:
        """The layer whose output (N, C, h, w) Grad-CAM reads; nothing changes it in place."""
        return self.features[-1]

    @classmethod
    def from_torchvision(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename a checkpoint's classifier of one output; one of 1000 classes is left out."""
        named = {name.replace("classifier.1.", "image_head.1."): state[name] for name in state}
        return without_other_classes(named, "image_head")

    @classmethod
    def arguments_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the constructor's arguments that a checkpoint with our names asks for."""
        width = state.get("cell_head.fine.weight")
        return {} if width is None else {"cell_width": len(width)}
