from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.networks.logits import FractureLogits
from models.reading import ORIENTATIONS, read_batch
from models.transforms import Preparation, PreparedImage


class _Corner(nn.Module):
    """Knows a fracture by a bright cell, and sees it better in its own left half."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> FractureLogits:
        cells = nn.functional.max_pool2d(images, 16).squeeze(1).clamp(0) * 20 * self.weight - 10
        cells[:, :, cells.shape[2] // 2 :] -= 3
        return FractureLogits(cells.amax((1, 2)), cells)


def _spot(x: int, y: int) -> PreparedImage:
    pixels = np.zeros((64, 64), np.float32)
    pixels[y : y + 8, x : x + 8] = 1
    return Preparation(64, 0, 100)(pixels)


@pytest.mark.parametrize("orientations", [1, 2, 4, 8])
@pytest.mark.parametrize(("x", "y"), [(4, 4), (52, 20), (20, 52)])
def test_a_map_is_turned_back_before_it_is_averaged(orientations: int, x: int, y: int) -> None:
    reading = read_batch(_Corner().eval(), [_spot(x, y)], 0.01, orientations)[0]
    assert reading.x == pytest.approx((x + 4) / 64, abs=0.1)
    assert reading.y == pytest.approx((y + 4) / 64, abs=0.1)


def test_all_orientations_give_a_turned_image_the_same_score() -> None:
    corners = [_spot(4, 4), _spot(52, 4), _spot(4, 52), _spot(52, 52)]
    scores = [reading.image for reading in read_batch(_Corner().eval(), corners, 0.01, 8)]
    assert scores == pytest.approx([scores[0]] * 4)
    alone = [reading.image for reading in read_batch(_Corner().eval(), corners, 0.01)]
    assert alone[0] != alone[1]


def test_the_orientations_are_all_different() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    seen = set()
    for turns, mirrored in ORIENTATIONS:
        turned = torch.rot90(image, turns, (2, 3))
        seen.add(tuple((turned.flip(-1) if mirrored else turned).flatten().tolist()))
    assert len(seen) == 8
