from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from labelled_sets import film

from models.bundle import read_bundle
from models.classifier import Classifier, load_classifier
from models.dataset import LabelledRadiograph, read_pixels, unit_range
from models.ensemble import Ensemble, Mixture, average, fit_stack, logits_of, make_ensemble
from models.networks.registry import build_network
from screening.domain.verdict import OperatingPoints
from screening.errors import PixelError, TrainingError

POINTS = OperatingPoints(0.2, 0.8)


def scores(seed: int, labels: np.ndarray, signal: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, len(labels))
    return 1 / (1 + np.exp(-(signal * (2 * labels - 1) + noise)))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


@pytest.fixture(scope="module")
def stranger() -> Classifier:
    """The same network with weights that know nothing."""
    bundle = read_bundle("mobilenet_v2")
    state = safetensors.torch.load(bundle.read_weights())
    network = build_network(bundle.target, bundle.arguments)
    network.load_state_dict({name: value * 0.9 for name, value in state.items()})
    return Classifier(bundle, network)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledRadiograph]:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(6):
        film(seed).save(folder / f"{seed}.png")
    return [LabelledRadiograph(folder / f"{seed}.png", seed % 2, f"g{seed}") for seed in range(6)]


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
    assert np.isfinite(logits_of(np.array([0.0, 1.0]))).all()


def test_a_stack_needs_both_classes() -> None:
    with pytest.raises(TrainingError, match="both classes"):
        fit_stack(np.full((4, 2), 0.5), np.ones(4, dtype=int))


def test_an_ensemble_of_a_classifier_with_itself_says_what_it_says(
    classifier: Classifier, films: list[LabelledRadiograph]
) -> None:
    pixels = unit_range(read_pixels(films[0].path))
    ensemble = Ensemble([classifier, classifier], average(2), POINTS)
    (alone,) = classifier.score([classifier.prepare(pixels)])
    (together,) = ensemble.score([ensemble.prepare(pixels)])
    assert together.probability == pytest.approx(alone.probability, abs=1e-4)
    assert together.hottest_x == pytest.approx(alone.hottest_x, abs=1e-3)
    assert ensemble.score([]) == []


def test_the_member_that_counts_most_says_where_it_looked(
    classifier: Classifier, stranger: Classifier, films: list[LabelledRadiograph]
) -> None:
    pixels = unit_range(read_pixels(films[1].path))
    ensemble = Ensemble([stranger, classifier], Mixture("stacked", (0.1, 0.9)), POINTS)
    (alone,) = classifier.score([classifier.prepare(pixels)])
    (together,) = ensemble.score([ensemble.prepare(pixels)])
    assert (together.hottest_x, together.hottest_y) == (alone.hottest_x, alone.hottest_y)


@pytest.mark.parametrize("kind", ["average", "stacked"])
def test_everything_is_chosen_on_the_rows_given(
    classifier: Classifier, stranger: Classifier, films: list[LabelledRadiograph], kind: str
) -> None:
    told: list[tuple[int, int]] = []
    ensemble = make_ensemble(
        [classifier, stranger], films, kind, lambda done, total: told.append((done, total))
    )
    assert told[-1] == (6, 6)
    assert ensemble.mixture.kind == kind
    assert 0 <= ensemble.points.high_sensitivity <= ensemble.points.high_specificity <= 1
    assert ensemble.identity.name == f"{kind}(mobilenet_v2+mobilenet_v2)"


def test_another_weighing_is_another_model(classifier: Classifier) -> None:
    one = Ensemble([classifier, classifier], average(2), POINTS)
    two = Ensemble([classifier, classifier], Mixture("stacked", (0.4, 0.6)), POINTS)
    assert one.identity.digest != two.identity.digest


def test_what_is_no_image_is_refused(classifier: Classifier) -> None:
    ensemble = Ensemble([classifier, classifier], average(2), POINTS)
    with pytest.raises(PixelError):
        ensemble.prepare(np.full((4, 4), np.nan, dtype=np.float32))


def test_what_is_no_ensemble_is_refused(
    classifier: Classifier, films: list[LabelledRadiograph], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="two members"):
        make_ensemble([classifier], films)
    with pytest.raises(TrainingError, match="average or stacked"):
        make_ensemble([classifier, classifier], films, "voting")
    with pytest.raises(TrainingError, match="a weight for each"):
        Ensemble([classifier, classifier], average(3), POINTS)
