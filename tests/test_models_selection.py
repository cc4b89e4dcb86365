from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.calibration import Calibration
from models.reading import Reading
from models.selection import choose_points, fit_calibration

LOGITS = st.floats(-1e6, 1e6)
SCORED = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=200).filter(
    lambda items: {label for _, label in items} == {0, 1}
)


@given(SCORED)
def test_the_points_keep_what_they_promise(items: list[tuple[float, int]]) -> None:
    scores = np.array([score for score, _ in items])
    labels = np.array([label for _, label in items])
    points = choose_points(scores, labels)
    found = scores[labels == 1] >= points.high_sensitivity
    cleared = scores[labels == 0] < points.high_specificity
    assert found.mean() >= 0.95 - 1e-9
    # A normal that scores exactly 1 cannot be cleared by any threshold.
    assert cleared.mean() >= 0.95 - 1e-9 or points.high_specificity == 1.0


def test_the_points_are_as_far_apart_as_needed_and_no_further() -> None:
    scores = np.concatenate([np.linspace(0.3, 1, 100), np.linspace(0, 0.7, 100)])
    labels = np.repeat([1, 0], 100)
    points = choose_points(scores, labels)
    # Of 100, two may be wrong: three or fewer are 26 % likely where 5 % are wrong, two 12 %.
    assert points.high_sensitivity == pytest.approx(0.3 + 0.7 * 2 / 99)
    assert points.high_specificity == pytest.approx(0.7 * 97 / 99)


def test_the_points_hold_on_other_images_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(300):
        chosen = choose_points(rng.normal(0.5, 0.1, 200), np.repeat([1, 0], 100))
        share = 1 - norm.cdf((chosen.high_sensitivity - 0.5) / 0.1)
        held.append(share >= 0.95)
    assert 0.8 <= np.mean(held) <= 0.95


def test_a_classifier_without_error_gets_ordered_points() -> None:
    points = choose_points(np.array([0.9, 0.8, 0.1, 0.2]), np.array([1, 1, 0, 0]))
    assert points.high_sensitivity <= points.high_specificity
    assert points.high_specificity == pytest.approx(0.8)


def test_calibration_weighs_the_logit_that_knows_more() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    readings = [
        Reading(float(rng.normal(2 * label, 1)), float(rng.normal(0, 1)), 0.5, 0.5)
        for label in labels
    ]
    fitted = fit_calibration(readings, [int(label) for label in labels])
    assert fitted.image > 5 * abs(fitted.top)
    mean = np.mean([fitted.probability(item.image, item.top) for item in readings])
    assert mean == pytest.approx(labels.mean(), abs=0.01)


@given(image=LOGITS, top=LOGITS)
def test_any_logits_give_a_probability(image: float, top: float) -> None:
    assert 0 <= Calibration(1.3, 0.4, -2).probability(image, top) <= 1


def test_a_calibration_is_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Calibration(math.nan, 0, 0)
