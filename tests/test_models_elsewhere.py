from __future__ import annotations

import numpy as np
import pytest

from models.elsewhere import VIEWS, View
from models.selection import choose_points, choose_travelling_points


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@pytest.mark.parametrize("size", [(200, 120), (3, 300), (1, 1)])
def test_a_view_of_any_film_is_a_film(view: View, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    before = pixels.copy()
    seen = view.apply(pixels)
    assert seen.dtype == np.uint8
    assert seen.ndim == 2
    assert seen.size
    assert (pixels == before).all()


def test_only_the_closer_view_loses_a_part() -> None:
    marked = np.zeros((100, 100), np.uint8)
    marked[:4, :4] = 255
    kept = {view.name for view in VIEWS if view.apply(marked).max() > 100}
    assert kept == {view.name for view in VIEWS if not view.cuts}


def test_points_that_travel_hold_in_every_view() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([1, 0], 200)
    plain = np.clip(rng.normal(0.3 + 0.4 * labels, 0.1), 0, 1)
    views = [plain, plain + 0.1, np.clip(plain - 0.1, 0, 1), plain + 0.2]
    points = choose_travelling_points(views, labels, [False, False, False, True])
    at_home = choose_points(plain, labels)
    assert points.high_sensitivity == pytest.approx(at_home.high_sensitivity - 0.1)
    assert points.high_specificity == pytest.approx(at_home.high_specificity + 0.2)
    assert all((view[labels == 0] < points.high_specificity).mean() >= 0.95 for view in views)
