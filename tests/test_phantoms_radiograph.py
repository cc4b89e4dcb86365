"""Phantom radiographs: the same from the same seed, in range, and broken where they say so."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantoms.attenuation import Field, optical_depth, trabecular_tile
from phantoms.exposure import Beam, coarse, expose
from phantoms.fracture import broken
from phantoms.radiograph import ANATOMIES, Break, make_phantom
from phantoms.tube import Tube

ROWS = 240


def rod(**changes: object) -> Tube:
    """A rod of 100 mm, 20 mm wide, whose shell of 2 mm takes 0.1 per mm and whose core nothing."""
    values: dict[str, object] = {
        "name": "rod",
        "start": (50.0, 20.0),
        "end": (50.0, 120.0),
        "left": ((0.0, 10.0),),
        "right": ((0.0, 10.0),),
        "shell": ((0.0, 2.0),),
        "shell_mu": 0.1,
        "core_mu": ((0.0, 0.0),),
        "flatness": 1.0,
    }
    return Tube(**(values | changes))  # type: ignore[arg-type]


def depth_of(tube: Tube) -> np.ndarray:
    field = Field(1400, 1000, 0.1)
    whole = np.zeros((field.rows, field.columns), np.float32)
    window, depth = optical_depth(tube, field, np.zeros((64, 64), np.float32))
    whole[window] = depth
    return whole


def test_a_ray_through_a_rod_follows_beer_and_lambert() -> None:
    depth = depth_of(rod())
    # Through the middle the ray crosses the shell twice, 2 mm each; at 9.05 mm from the middle
    # it crosses nothing but shell, on a chord of 2 * sqrt(10**2 - 9.05**2) mm.
    assert depth[700, 500] == pytest.approx(0.1 * 4.0, rel=0.01)
    assert depth[700, 590] == pytest.approx(0.1 * 2 * np.sqrt(100 - 9.05**2), rel=0.01)
    assert depth[700, 610] == 0
    assert depth[100, 500] == 0


def test_a_fragment_and_its_counterpart_make_up_the_bone() -> None:
    limb = ANATOMIES["HUMERUS"]("AP")
    parts = broken(limb, ("humerus",), np.random.default_rng(1), apart=False).bones
    cuts = [tube.cut for tube in parts if tube.name == "humerus"]
    assert [cut.keeps_start for cut in cuts if cut] == [True, False]
    assert len(parts) == len(limb.bones) + 1


@pytest.mark.parametrize("anatomy", ANATOMIES)
@pytest.mark.parametrize("view", ["AP", "LAT", "OBL"])
def test_every_anatomy_has_bone_flesh_and_air(anatomy: str, view: str) -> None:
    picture = make_phantom(3, anatomy, view, rows=ROWS)
    assert picture.dtype == np.float32
    assert picture.shape[0] == ROWS
    assert picture.min() >= 0
    assert picture.max() <= 1
    low, middle, high = np.percentile(picture, (5, 50, 95))
    assert low < 0.25
    assert high > 0.5
    assert low < middle < high


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (make_phantom(seed, "HAND", "PA", rows=ROWS) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_seed_means_the_same_in_another_process() -> None:
    program = (
        "import hashlib; from phantoms.radiograph import make_phantom; "
        "print(hashlib.sha256(make_phantom(7, 'HAND', rows=64).tobytes()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("anatomy", [name for name in ANATOMIES if name != "CHEST"])
def test_a_break_changes_the_picture_and_little_of_it(anatomy: str, apart: bool) -> None:
    bone = ANATOMIES[anatomy]("AP").breakable[0][0]
    whole = make_phantom(5, anatomy, rows=ROWS)
    changed = np.abs(make_phantom(5, anatomy, broken=Break((bone,), apart), rows=ROWS) - whole)
    assert changed.max() > 0.03
    assert (changed > 0.05).mean() < 0.15


def test_a_chest_has_nothing_to_break() -> None:
    assert make_phantom(5, "CHEST", "PA", True, rows=64).shape[0] == 64


def test_an_unknown_anatomy_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="FOREARM"):
        make_phantom(1, "TAIL")


def test_a_side_is_the_others_mirror_image_but_for_its_marker() -> None:
    beam = Beam(quanta=1e9, margin=0.0, tilt=0.0)
    left, right = (make_phantom(2, "FOOT", side=side, rows=ROWS, beam=beam) for side in "LR")
    below = slice(ROWS // 3, None)
    assert np.abs(left[below, ::-1] - right[below]).max() < 0.05


def test_noise_falls_with_the_number_of_quanta() -> None:
    depth = np.ones((200, 200), np.float32)
    noises = []
    for quanta in (25.0, 2500.0):
        reading = expose(depth, Beam(quanta=quanta, heel=0.0), np.random.default_rng(1))
        noises.append(float(reading[50:150, 95:105].std()))
    assert noises[0] / noises[1] == pytest.approx(10, rel=0.2)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(64, 200), columns=st.integers(64, 200), seed=st.integers(0, 2**32 - 1))
def test_any_size_and_any_seed_will_do(rows: int, columns: int, seed: int) -> None:
    picture = make_phantom(seed, "LEG", "LAT", True, rows=rows, columns=columns)
    assert picture.shape == (rows, columns)
    assert np.isfinite(picture).all()


def test_the_coarse_image_keeps_the_mean_and_the_shape() -> None:
    image = np.random.default_rng(1).random((97, 53), np.float32)
    smooth = coarse(image, 8)
    assert smooth.shape == image.shape
    assert smooth.mean() == pytest.approx(image.mean(), rel=0.03)
    assert smooth.std() < image.std() / 5


def test_trabeculae_have_no_seam_and_no_mean() -> None:
    tile = trabecular_tile(np.random.default_rng(1), 128)
    assert tile.mean() == pytest.approx(0, abs=1e-3)
    assert tile.std() == pytest.approx(1, rel=1e-3)
    step = np.abs(np.diff(tile, axis=0)).mean()
    assert np.abs(tile[0] - tile[-1]).mean() == pytest.approx(step, rel=0.5)
