from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from models.classifier import Classifier, load_classifier
from models.dataset import Box, LabelledRadiograph
from models.evaluation import (
    calibration_error,
    measure,
    select,
)
from models.evaluation.cost import count_multiply_adds
from models.evaluation.point import measure_point
from models.evaluation.ranking import Ranking
from models.evaluation.reliability import measure_reliability
from models.evaluation.resampling import DRAWS, Resampling
from models.evaluation.subgroup import parts, subgroups
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


def drawn_set(seed: int, count: int = 120) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 3 == 0).astype(int)
    # Rounded, so that scores are tied.
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(2)
    return labels, scores


@pytest.mark.parametrize("seed", range(5))
def test_weighted_areas_are_those_of_scikit_learn(seed: int) -> None:
    labels, scores = drawn_set(seed)
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(labels))).astype(float)
    figures = Ranking(labels, scores).figures(weights)
    for row, weight in zip(figures, weights, strict=True):
        assert row[0] == pytest.approx(roc_auc_score(labels, scores, sample_weight=weight))
        assert row[1] == pytest.approx(
            average_precision_score(labels, scores, sample_weight=weight)
        )
        alarms, found, _ = roc_curve(labels, scores, sample_weight=weight, drop_intermediate=False)
        assert row[2] == pytest.approx(found[alarms <= 0.1 + 1e-9].max())
        assert row[5] == pytest.approx((1 - alarms[found >= 0.95 - 1e-9]).max())


@pytest.mark.parametrize("seed", range(5))
def test_figures_at_a_threshold_are_those_of_scikit_learn(seed: int) -> None:
    labels, scores = drawn_set(seed)
    resampling = Resampling(labels, [str(i) for i in range(len(labels))])
    point = measure_point(0.5, labels, scores, resampling)
    called = (scores >= 0.5).astype(int)
    assert point.accuracy.value == pytest.approx(metrics.accuracy_score(labels, called))
    assert point.precision.value == pytest.approx(metrics.precision_score(labels, called))
    assert point.sensitivity.value == pytest.approx(metrics.recall_score(labels, called))
    assert point.f1.value == pytest.approx(metrics.f1_score(labels, called))
    assert point.kappa.value == pytest.approx(metrics.cohen_kappa_score(labels, called))
    matrix = [[point.confusion.true_negative, point.confusion.false_positive]]
    matrix += [[point.confusion.false_negative, point.confusion.true_positive]]
    assert matrix == metrics.confusion_matrix(labels, called).tolist()
    assert point.kappa.low < point.kappa.value < point.kappa.high


def test_reliability_adds_up() -> None:
    labels, scores = drawn_set(9)
    found = measure_reliability(labels, scores, Resampling(labels, [str(i) for i in range(120)]))
    assert found.ece.value == pytest.approx(calibration_error(scores, labels))
    assert found.brier.value == pytest.approx(metrics.brier_score_loss(labels, scores))
    assert sum(item.images for item in found.bins) == 120
    assert all(item.low <= item.probability <= item.high for item in found.bins)


def test_a_resampling_draws_whole_groups() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0])
    resampling = Resampling(labels, ["a", "a", "b", "b", "c", "d"])
    first, second, *_ = resampling.sums(np.array([1, 0, 0, 0, 0, 0]), np.array([0, 1, 0, 0, 0, 0]))
    assert np.array_equal(first, second)
    assert len(first) == DRAWS + 1
    fractured, others = resampling.sums(labels, 1 - labels)
    assert fractured.min() >= 1
    assert others.min() >= 1


def test_thresholds_of_the_set_reach_what_they_claim(classifier: Classifier) -> None:
    labels, scores = drawn_set(3)
    labelled = [LabelledRadiograph(Path(f"{i}"), int(y), f"{i}") for i, y in enumerate(labels)]
    figures = measure(classifier, labelled, [Prediction(float(score)) for score in scores])
    for item in figures.sensitivity_at_specificity:
        assert item.threshold_of_this_set is not None
        called = scores >= item.threshold_of_this_set
        assert (~called[labels == 0]).mean() >= item.fixed
        assert called[labels == 1].mean() == pytest.approx(item.figure.value)
    for item in figures.specificity_at_sensitivity:
        assert item.threshold_of_this_set is not None
        called = scores >= item.threshold_of_this_set
        assert called[labels == 1].mean() >= item.fixed
        assert (~called[labels == 0]).mean() == pytest.approx(item.figure.value)


def test_the_pointing_game_tells_true_positives_apart(classifier: Classifier) -> None:
    labelled = rows(40, 40)
    # Those that are found point well, those that are missed do not.
    predictions = [
        Prediction(1.0, 0.5, 0.5) if i % 4 == 1 else Prediction(0.0, 0.9, 0.9) for i in range(40)
    ]
    figures = measure(classifier, labelled, predictions)
    assert figures.outlined == 20
    assert figures.pointing is not None
    assert figures.pointing.value == 0.5
    assert figures.pointing_true_positives is not None
    assert figures.pointing_true_positives.value == 1
    assert figures.pointing_suspected == figures.pointing_true_positives


def test_known_columns_divide_a_set_by_themselves(classifier: Classifier) -> None:
    labelled = rows(200, 200)
    predictions = [Prediction(0.9 if row.fractured else 0.1) for row in labelled]
    measured, small = subgroups(classifier.points, labelled, predictions)
    assert [(part.name, part.images, part.auc.value) for part in measured] == [
        ("no hardware", 180, 1.0)
    ]
    assert [(part.name, part.images, part.fractured) for part in small] == [("hardware", 20, 20)]


def test_a_column_that_cannot_divide_is_refused(classifier: Classifier) -> None:
    labelled = [replace(row, attributes={"number": str(i)}) for i, row in enumerate(rows(40, 40))]
    with pytest.raises(TrainingError, match="no column view to divide by: name some of number"):
        parts(labelled, ["view"])
    with pytest.raises(TrainingError, match="40 different values"):
        parts(labelled, ["number"])


def test_multiply_adds_are_counted_as_scored(classifier: Classifier) -> None:
    # 300 million at 224 pixels, by the paper of MobileNetV2; 512 pixels are 5.22 times that, and
    # each film is read with its mirror image.
    assert 3.0e9 < count_multiply_adds(classifier) < 3.5e9
