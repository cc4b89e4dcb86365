from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.augmentation import AugmentationSettings, augment, cell_target
from models.dataset import Box, unit_range
from models.transforms import Preparation

SEEDS = st.integers(0, 2**32)
GEOMETRY_ALONE = AugmentationSettings(
    invert=0, noise=0, border=0, missing_rows=0, jpeg=0, resolution=0, gamma=0
)


def with_bright_box(box: Box, height: int, width: int) -> np.ndarray:
    pixels = np.full((height, width), 60, np.uint8)
    # A pixel more all around: the map knows of parts of pixels, the picture does not.
    rows = slice(int(box.top * height) - 1, int(box.bottom * height) + 2)
    columns = slice(int(box.left * width) - 1, int(box.right * width) + 2)
    pixels[rows, columns] = 220
    return pixels


@settings(max_examples=80, deadline=None)
@given(
    seed=SEEDS,
    x=st.floats(0.2, 0.8),
    y=st.floats(0.2, 0.8),
    height=st.integers(150, 400),
    width=st.integers(150, 400),
)
def test_the_map_follows_the_fracture_through_every_movement(
    seed: int, x: float, y: float, height: int, width: int
) -> None:
    box = Box(x - 0.12, y - 0.12, x + 0.12, y + 0.12)
    rng = np.random.default_rng(seed)
    changed = augment(with_bright_box(box, height, width), [box], GEOMETRY_ALONE, rng)
    prepared = Preparation(192, 0, 100)(unit_range(changed.pixels))
    target = cell_target([box], prepared, 16, changed.to_source)
    cells = prepared.tensor[0].numpy().reshape(12, 16, 12, 16)
    assert target.sum() > 0
    assert target[cells.min(axis=(1, 3)) > 0.9].all()
    # The outline may graze the corner of a cell in which resampling leaves nothing of it.
    assert target[cells.max(axis=(1, 3)) < 0].sum() <= 1


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_neither_a_border_nor_lost_rows_hide_a_fracture(seed: int) -> None:
    box = Box(0.02, 0.3, 0.3, 0.97)
    always = dataclasses.replace(
        GEOMETRY_ALONE,
        border=1,
        missing_rows=1,
        quarter_turn=0,
        crop=0,
        grow=0,
        rotation_degrees=0,
    )
    pixels = np.full((200, 200), 90, np.uint8)
    rng = np.random.default_rng(seed)
    seen = augment(pixels, [box], always, rng)
    columns = slice(5, 59) if seen.to_source[0, 0] > 0 else slice(141, 195)
    assert (seen.pixels[62:193, columns] == 90).all()


def test_the_same_draw_gives_the_same_radiograph() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 90)).astype(np.uint8)
    first, second = (
        augment(pixels, [], AugmentationSettings(), np.random.default_rng(7)) for _ in range(2)
    )
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.to_source, second.to_source)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, height=st.integers(1, 60), width=st.integers(1, 60))
def test_any_size_survives_every_change(seed: int, height: int, width: int) -> None:
    often = AugmentationSettings(
        quarter_turn=1, resolution=1, jpeg=1, border=1, missing_rows=1, invert=0.5
    )
    pixels = np.full((height, width), 100, np.uint8)
    changed = augment(pixels, [], often, np.random.default_rng(seed))
    assert changed.pixels.dtype == np.uint8
    assert changed.pixels.ndim == 2
    assert changed.pixels.size > 0


def test_a_normal_radiograph_has_an_empty_map() -> None:
    prepared = Preparation(64)(np.random.default_rng(0).random((50, 40), dtype=np.float32))
    assert not cell_target([], prepared, 16).any()


def test_an_unchanged_radiograph_needs_no_matrix() -> None:
    prepared = Preparation(64)(np.random.default_rng(0).random((64, 64), dtype=np.float32))
    target = cell_target([Box(0.0, 0.0, 0.24, 0.24)], prepared, 16)
    assert target[0, 0] == 1
    assert target.sum() == pytest.approx(1)
