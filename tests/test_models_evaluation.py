from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifier import Classifier, load_classifier
from models.dataset import Box, LabelledRadiograph
from models.evaluation import calibration_error, measure, select
from screening.domain.prediction import Prediction
from screening.errors import TrainingError

BOX = Box(0.4, 0.4, 0.6, 0.6)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


def rows(count: int, groups: int) -> list[LabelledRadiograph]:
    return [
        LabelledRadiograph(
            Path(f"{i}.jpg"),
            i % 2,
            f"g{i // 2 % groups}-{i % 2}",
            (BOX,) if i % 2 else (),
            {"hardware": "1" if i % 10 == 1 else "0"},
        )
        for i in range(count)
    ]


def test_a_perfect_classifier_gets_perfect_figures(classifier: Classifier) -> None:
    labelled = rows(40, 40)
    predictions = [Prediction(float(row.fractured), 0.5, 0.5) for row in labelled]
    figures = measure(classifier, labelled, predictions, 10)
    assert figures.auc.value == figures.auc.low == 1
    assert figures.high_sensitivity.sensitivity.value == 1
    assert figures.high_specificity.specificity.value == 1
    assert figures.ece.value == 0
    assert figures.pointing is not None
    assert figures.pointing.value == 1
    assert (figures.images, figures.fractured, figures.groups) == (40, 20, 40)


def test_a_guess_has_an_interval_around_one_half(classifier: Classifier) -> None:
    labelled = rows(200, 200)
    rng = np.random.default_rng(3)
    predictions = [Prediction(float(rng.random()), 0.9, 0.9) for _ in labelled]
    figures = measure(classifier, labelled, predictions, 10)
    assert figures.auc.low < 0.5 < figures.auc.high
    assert figures.pointing is not None
    assert figures.pointing.value == 0


def test_copies_of_a_source_are_not_independent_evidence(classifier: Classifier) -> None:
    rng = np.random.default_rng(4)
    apart = rows(200, 200)
    predictions = [
        Prediction(float(np.clip(rng.normal(0.4 + 0.2 * row.fractured, 0.3), 0, 1)))
        for row in apart
    ]
    together = [replace(row, group=f"{i // 2 % 5}-{row.fractured}") for i, row in enumerate(apart)]
    free = measure(classifier, apart, predictions, 1).high_sensitivity.specificity
    held = measure(classifier, together, predictions, 1).high_sensitivity.specificity
    assert free.value == held.value
    assert held != free


def test_figures_are_plain_values(classifier: Classifier) -> None:
    labelled = rows(20, 20)
    predictions = [Prediction(0.5) for _ in labelled]
    plain = measure(classifier, labelled, predictions, 12.34567).as_dict()
    assert plain["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert plain["images_per_second"] == 12.3457
    assert plain["high_specificity"]["threshold"] == classifier.points.high_specificity


def test_a_set_without_outlines_has_no_pointing_game(classifier: Classifier) -> None:
    labelled = [replace(row, boxes=()) for row in rows(20, 20)]
    assert measure(classifier, labelled, [Prediction(0.5)] * 20, 1).pointing is None


def test_rows_are_selected_by_a_column() -> None:
    kept = select(rows(40, 40), {"hardware": "0"})
    assert {row.attributes["hardware"] for row in kept} == {"0"}
    assert len(kept) == 36


def test_a_selection_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(TrainingError, match="no column modality"):
        select(rows(10, 10), {"modality": "DX"})
    with pytest.raises(TrainingError, match="one class"):
        select(rows(40, 40), {"hardware": "1"})


def test_calibration_error_is_the_gap_between_promise_and_truth() -> None:
    assert calibration_error(np.full(10, 0.8), np.array([1] * 8 + [0] * 2)) == pytest.approx(0)
    assert calibration_error(np.full(10, 0.8), np.zeros(10, int)) == pytest.approx(0.8)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1))
def test_calibration_error_is_a_share(items: list[tuple[float, int]]) -> None:
    scores = np.array([score for score, _ in items])
    labels = np.array([label for _, label in items])
    assert 0 <= calibration_error(scores, labels) <= 1
