"""From grey in [-1, 1] to three channels with the mean and spread that the weights expect."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

HALF = (0.5, 0.5, 0.5)
"""As mean and as spread: leaves values in [-1, 1] as they are."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of torchvision's ImageNet checkpoints, for pixels in [0, 1], red, green and blue."""


class Colour(nn.Module):
    """Give a grey image to three channels, each shifted and scaled as the weights expect it.

    It is a step of its own and not folded into the first convolution: that one pads with zeros,
    which stand for the mean, so that folded weights would see another border.

    Parameters
    ----------
    mean, std
        Of pixels in [0, 1], per channel: the backbone sees ``(pixel - mean) / std``.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, mean: Sequence[float] = HALF, std: Sequence[float] = HALF) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError("mean and std are three numbers each, and std is positive")
        self.changes = tuple(mean) != HALF or tuple(std) != HALF
        if self.changes:
            spread = torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1)
            offset = 0.5 - torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1)
            # Settings, not weights: they stand in the constructor's arguments alone.
            self.register_buffer("factor", 0.5 / spread, persistent=False)
            self.register_buffer("offset", offset / spread, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 1 or 3, S, S) in [-1, 1] to (N, 3, S, S), channels last."""
        colour = images.expand(-1, 3, -1, -1)
        if self.changes:
            colour = colour * self.factor + self.offset
        # On a CPU, convolutions are two to four times as fast with the channels last.
        return colour.contiguous(memory_format=torch.channels_last)
