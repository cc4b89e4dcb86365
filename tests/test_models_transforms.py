from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.input_settings import InputSettings
from models.transforms import Preparation

SIDES = st.integers(1, 700)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).random((height, width), dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES)
def test_any_shape_fits_the_square_with_its_aspect_kept(height: int, width: int) -> None:
    prepared = Preparation(96)(noise(height, width))
    assert prepared.tensor.shape == (1, 96, 96)
    assert prepared.tensor.dtype == torch.float32
    assert type(prepared.tensor) is torch.Tensor
    assert prepared.tensor.abs().max() <= 1
    assert max(prepared.width, prepared.height) == 96
    assert prepared.width == pytest.approx(max(1, 96 * width / max(height, width)), abs=0.51)
    assert prepared.height == pytest.approx(max(1, 96 * height / max(height, width)), abs=0.51)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(40, 300),
    width=st.integers(40, 300),
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
)
def test_a_bright_point_is_found_where_it_was(height: int, width: int, x: float, y: float) -> None:
    pixels = np.zeros((height, width), np.float32)
    row, column = int(y * height), int(x * width)
    pixels[row - 2 : row + 3, column - 2 : column + 3] = 1
    prepared = Preparation(128, 0, 100)(pixels)
    down, across = divmod(int(prepared.tensor.argmax()), 128)
    found_x, found_y = prepared.to_radiograph(across + 0.5, down + 0.5)
    assert found_x == pytest.approx((column + 0.5) / width, abs=3 / width + 1 / prepared.width)
    assert found_y == pytest.approx((row + 0.5) / height, abs=3 / height + 1 / prepared.height)


def test_a_point_beside_the_radiograph_is_taken_to_its_edge() -> None:
    prepared = Preparation(64)(noise(64, 16))
    assert prepared.to_radiograph(0, 32)[0] == 0
    assert prepared.to_radiograph(63.9, 32)[0] == 1


@given(scale=st.floats(0.05, 1), offset=st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_exposure_does_not_matter(scale: float, offset: float) -> None:
    pixels = noise(50, 70)
    plain = Preparation(64)(pixels).tensor
    changed = Preparation(64)(pixels * np.float32(scale) + np.float32(offset)).tensor
    assert torch.allclose(plain, changed, atol=1e-3)


@pytest.mark.parametrize("level", [0, 0.5, 1])
def test_an_even_image_becomes_dark_and_warns_nobody(level: float) -> None:
    prepared = Preparation(64)(np.full((40, 30), level, np.float32))
    assert (prepared.tensor == -1).all()


def test_what_surrounds_the_radiograph_is_dark() -> None:
    prepared = Preparation(64)(noise(64, 20))
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[:, prepared.left : prepared.left + prepared.width] = False
    assert (prepared.tensor[0][outside] == -1).all()


def test_the_array_that_is_prepared_is_left_alone() -> None:
    pixels = noise(64, 64)
    before = pixels.copy()
    Preparation(64)(pixels)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    "values", [{"size": 100}, {"size": 0}, {"lower": 99, "upper": 1}, {"upper": 101}]
)
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        InputSettings(**values)  # type: ignore[arg-type]
