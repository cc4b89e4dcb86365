from __future__ import annotations

import numpy as np
import pytest
import torch

from models.explanation.anatomy import outside_share
from models.explanation.heatmap import Heatmap
from models.transforms import PreparedImage


def film() -> PreparedImage:
    """A bright limb down the middle of a dark film, in the middle of a square."""
    square = torch.full((1, 128, 128), -1.0)
    square[0, :, 52:76] = 0.5
    return PreparedImage(square, left=16, top=0, width=96, height=128)


@pytest.mark.parametrize(("across", "expected"), [(0.5, 0.0), (0.05, 1.0)])
def test_heat_beside_the_anatomy_lies_outside(across: float, expected: float) -> None:
    grid = np.zeros((128, 96), np.float32)
    column = round(across * 96)
    grid[60:68, max(0, column - 4) : column + 4] = 1
    assert outside_share(Heatmap(grid), film()) == pytest.approx(expected, abs=0.05)


def test_without_heat_nothing_lies_outside() -> None:
    assert outside_share(Heatmap(np.zeros((128, 96), np.float32)), film()) == 0


def test_a_uniform_film_has_an_answer() -> None:
    plain = PreparedImage(torch.zeros(1, 64, 64), 0, 0, 64, 64)
    assert 0 <= outside_share(Heatmap(np.ones((64, 64), np.float32)), plain) <= 1
