from __future__ import annotations

import numpy as np
import pytest

from models.ensemble import Mixture, average, fit_stack
from models.log_odds import log_odds
from screening.errors import TrainingError


def scores(seed: int, labels: np.ndarray, signal: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, len(labels))
    return 1 / (1 + np.exp(-(signal * (2 * labels - 1) + noise)))


def test_a_stack_leans_on_the_member_that_knows() -> None:
    labels = np.arange(300) % 2
    members = np.stack([scores(1, labels, 1.0), scores(2, labels, 0.0)], axis=1)
    stacked = fit_stack(members, labels)
    good, random = stacked.weights
    assert good > 5 * abs(random)
    mixed = stacked.probabilities(members)
    assert mixed[labels == 1].mean() > mixed[labels == 0].mean() + 0.2


def test_an_average_is_that_of_the_logits() -> None:
    mixed = average(2).probabilities(np.array([[0.9, 0.5], [0.3, 0.3], [0.2, 0.8]]))
    assert mixed == pytest.approx([0.75, 0.3, 0.5])


def test_certainty_stays_finite() -> None:
    mixed = Mixture("stacked", (500.0, 500.0)).probabilities(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert mixed == pytest.approx([0, 1])
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_a_stack_needs_both_classes() -> None:
    with pytest.raises(TrainingError, match="both classes"):
        fit_stack(np.full((4, 2), 0.5), np.ones(4, dtype=int))
