"""A classifier whose score depends on one known patch of the radiograph, and films for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.bundle import Bundle
from models.bundle_settings import BundleSettings
from models.calibration import Calibration
from models.classifier import Classifier
from models.input_settings import InputSettings
from models.networks.logits import FractureLogits
from screening.domain.verdict import OperatingPoints

SIDE = 128
CELL = 8


class Detail(nn.Module):
    """How far pixels differ from their neighbours, in cells, under a mask: (N, 2, h, w)."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, images: Tensor) -> Tensor:
        steps = (images[..., 1:] - images[..., :-1]).abs()
        fine = nn.functional.avg_pool2d(nn.functional.pad(steps, (0, 1)), CELL)
        return torch.cat([fine * self.mask, torch.ones_like(fine)], dim=1)


class Watcher(nn.Module):
    """A network that looks at one patch of its square: fine detail there is a fracture to it.

    Parameters
    ----------
    rows, columns
        Of the patch, in cells of 8 pixels.
    gain
        Of the logit; 0 makes a network that looks nowhere.
    has_cells
        Whether it gives a map.
    """

    def __init__(
        self, rows: slice, columns: slice, gain: float = 16.0, has_cells: bool = True
    ) -> None:
        super().__init__()
        mask = torch.zeros(1, 1, SIDE // CELL, SIDE // CELL)
        mask[..., rows, columns] = 1
        self.detail = Detail(mask)
        self.head = nn.Linear(2, 1)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[gain / float(mask.mean()), 0.0]]))
            self.head.bias.fill_(-4.0)
        self.has_cells = has_cells

    @property
    def attended(self) -> nn.Module:
        return self.detail

    def forward(self, images: Tensor) -> FractureLogits:
        found = self.detail(images)
        cells = 40 * found[:, 0] - 4 if self.has_cells else None
        return FractureLogits(self.head(found.mean((2, 3))).squeeze(1), cells)


def classifier_of(network: nn.Module, size: int = SIDE, top: float = 0.0) -> Classifier:
    """Return a classifier around any network, as a bundle would make it."""
    settings = BundleSettings(
        "0" * 64,
        InputSettings(size, 0.0, 100.0),
        0.05,
        Calibration(1.0, top, 0.0),
        OperatingPoints(0.3, 0.7),
    )
    bundle = Bundle(Path("nowhere"), "watcher", "0.0.0", "", {}, settings, {})
    return Classifier(bundle, network)


def striped(height: int, width: int) -> NDArray[np.float32]:
    """A film with the same fine stripes everywhere: every place is as detailed as the others.

    In the network's square each stripe is four pixels wide.
    """
    columns = np.arange(width) * SIDE // max(height, width) // 4 % 2
    return np.tile(columns.astype(np.float32), (height, 1)) * np.float32(0.9) + np.float32(0.05)


Inside = Callable[[float, float], bool]


def patch_in(rows: slice, columns: slice, height: int, width: int, slack: float = 0.0) -> Inside:
    """Return a test whether fractions of a film of this shape lie in a patch of the square."""
    scale = SIDE / max(height, width)
    tall, wide = round(height * scale), round(width * scale)
    top, left = (SIDE - tall) // 2, (SIDE - wide) // 2

    def inside(x: float, y: float) -> bool:
        across, down = left + x * wide, top + y * tall
        return (
            columns.start * CELL - slack <= across <= columns.stop * CELL + slack
            and rows.start * CELL - slack <= down <= rows.stop * CELL + slack
        )

    return inside
