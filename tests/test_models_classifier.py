from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.classifier import Classifier, load_classifier
from models.dataset import read_pixels, read_split, unit_range
from screening.errors import PixelError

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


def film(seed: int, height: int = 300, width: int = 200) -> np.ndarray:
    """A bright shaft on a dark ground, with noise."""
    rng = np.random.default_rng(seed)
    across = np.linspace(-1, 1, width, dtype=np.float32)
    shaft = np.exp(-((across * 3) ** 2))[None] * np.ones((height, 1), np.float32)
    noise = rng.random((height, width), dtype=np.float32)
    return np.asarray(0.8 * shaft + 0.2 * noise, dtype=np.float32)


def test_a_score_does_not_depend_on_its_neighbours(classifier: Classifier) -> None:
    shapes = [(300, 200), (200, 300), (64, 64), (500, 90), (384, 384)]
    prepared = [classifier.prepare(film(i, *shape)) for i, shape in enumerate(shapes)]
    together = classifier.score(prepared)
    apart = [classifier.score([image])[0] for image in prepared]
    backwards = classifier.score(prepared[::-1])[::-1]
    for one, two, three in zip(together, apart, backwards, strict=True):
        assert one.probability == pytest.approx(two.probability, abs=TOLERANCE)
        assert one.probability == pytest.approx(three.probability, abs=TOLERANCE)
        assert one.hottest_x == pytest.approx(two.hottest_x, abs=TOLERANCE)
        assert one.hottest_y == pytest.approx(three.hottest_y, abs=TOLERANCE)


def test_the_same_image_gets_the_same_score(classifier: Classifier) -> None:
    image = classifier.prepare(film(1))
    assert classifier.score([image]) == classifier.score([image])


def test_no_image_gets_no_score(classifier: Classifier) -> None:
    assert classifier.score([]) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (33, 2000), (2500, 2000)])
def test_any_shape_gets_a_probability_and_a_place(
    classifier: Classifier, shape: tuple[int, int]
) -> None:
    (prediction,) = classifier.score([classifier.prepare(film(2, *shape))])
    assert 0 <= prediction.probability <= 1
    assert prediction.hottest_x is not None
    assert prediction.hottest_y is not None
    assert 0 <= prediction.hottest_x <= 1
    assert 0 <= prediction.hottest_y <= 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 5), np.float32),
        np.zeros((5, 5, 3), np.float32),
        np.zeros(5, np.float32),
        np.full((5, 5), np.nan, np.float32),
        np.full((5, 5), np.inf, np.float32),
    ],
)
def test_what_is_no_image_is_refused(classifier: Classifier, pixels: np.ndarray) -> None:
    with pytest.raises(PixelError):
        classifier.prepare(pixels)


def test_the_points_are_in_order(classifier: Classifier) -> None:
    assert 0 < classifier.points.high_sensitivity <= classifier.points.high_specificity < 1


def test_the_shipped_classifier_tells_fractures_from_normals(
    classifier: Classifier, test_data: Path
) -> None:
    rows = read_split(test_data / "fracatlas", "val")
    chosen = [row for row in rows if row.fractured][:40] + [
        row for row in rows if not row.fractured
    ][:40]
    found, hits = [], 0
    for at in range(0, len(chosen), 16):
        batch = chosen[at : at + 16]
        scored = classifier.score(
            [classifier.prepare(unit_range(read_pixels(row.path))) for row in batch]
        )
        found += [item.probability for item in scored]
        hits += sum(
            any(box.contains(item.hottest_x or 0, item.hottest_y or 0) for box in row.boxes)
            for row, item in zip(batch, scored, strict=True)
        )
    assert roc_auc_score([row.fractured for row in chosen], found) > 0.85
    assert hits > 0.4 * 40
