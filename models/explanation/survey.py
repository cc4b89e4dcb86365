"""A labelled set explained: each fracture's heatmap, and what the heatmaps are worth together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from models.dataset import LabelledRadiograph, sources_of
from models.evaluation import Estimate
from models.evaluation.pointing_game import Point, PointingFigures, hits, play
from models.evaluation.resampling import Resampling
from models.explanation.faithfulness import STEPS, Faithfulness, faithfulness
from models.explanation.heatmap import Heatmap
from models.explanation.method import Method, explain
from models.image_file import read_grey, unit_range
from screening.domain.prediction import Prediction
from screening.errors import TrainingError


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One radiograph of a set with its heatmap.

    Attributes
    ----------
    row
        With its label and boxes.
    pixels
        Float32 (H, W) in [0, 1], as the file has them.
    prediction
        The classifier's.
    heatmap
        Of the method asked for.
    faithfulness
        Of the heatmap; ``None`` if it was not measured.
    """

    row: LabelledRadiograph
    pixels: NDArray[np.float32]
    prediction: Prediction
    heatmap: Heatmap
    faithfulness: Faithfulness | None

    def record(self) -> Record:
        """Return what the figures need, without the pixels."""
        return Record(
            self.row, self.prediction.probability, self.heatmap.hottest(), self.faithfulness
        )


@dataclass(frozen=True, slots=True)
class Record:
    """What is left of an explained radiograph when its picture is drawn.

    Attributes
    ----------
    row, faithfulness
        As of `Explained`.
    probability
        The classifier's.
    point
        The heatmap's hottest.
    """

    row: LabelledRadiograph
    probability: float
    point: Point
    faithfulness: Faithfulness | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; ``hit`` only where there are boxes to hit."""
        values: dict[str, Any] = {
            "image": self.row.name or self.row.path.name,
            "probability": self.probability,
            "hottest": self.point,
            "fractured": bool(self.row.fractured),
        }
        if self.row.boxes:
            values["hit"] = hits(self.row, self.point)
        if self.faithfulness is not None:
            values |= dataclasses.asdict(self.faithfulness)
        return values


@dataclass(frozen=True, slots=True)
class Contrast:
    """A mean over images by the heatmap, by chance, and of the difference in its favour."""

    heatmap: Estimate
    chance: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class SurveyFigures:
    """What the heatmaps of a set are worth; see `Faithfulness` for each quantity.

    Attributes
    ----------
    images, groups
        Counts; intervals are over groups.
    deletion, insertion, blurred
        Of the heatmap against chance; a gain above 0 speaks for the heatmap in each of the three.
        ``None`` if they were not measured.
    pointing
        ``None`` if the set has no boxes.
    """

    images: int
    groups: int
    deletion: Contrast | None
    insertion: Contrast | None
    blurred: Contrast | None
    pointing: PointingFigures | None


def choose(rows: Sequence[LabelledRadiograph], most: int | None) -> list[LabelledRadiograph]:
    """Return the fractured radiographs, or so many of them, spread evenly over the table.

    Raises
    ------
    TrainingError
        If there is none.
    """
    fractured = [row for row in rows if row.fractured]
    if not fractured or (most is not None and most < 1):
        raise TrainingError("no fractured image is left to explain: select another split, or more")
    if most is None or most >= len(fractured):
        return fractured
    return [fractured[index * len(fractured) // most] for index in range(most)]


def explain_rows(
    classifier: Classifier,
    rows: Sequence[LabelledRadiograph],
    method: Method,
    *,
    passes: int | None = None,
    steps: int = STEPS,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Explained]:
    """Explain radiographs one after the other.

    Parameters
    ----------
    classifier, method, passes
        As of :func:`models.explanation.method.explain`.
    rows
        In the order wanted.
    steps
        Of the deletion and insertion curves; 0 measures no faithfulness, which takes most of the
        time.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    TrainingError
        If a file cannot be read.
    BundleError
        If the network has no such explanation.
    """
    for place, row in enumerate(rows):
        pixels = unit_range(read_grey(row.path))
        prepared = classifier.prepare(pixels)
        heatmap = explain(classifier, prepared, method, passes)
        (prediction,) = classifier.score([prepared])
        measured = (
            faithfulness(classifier, prepared, heatmap, steps=steps, seed=place) if steps else None
        )
        on_image(place + 1, len(rows))
        yield Explained(row, pixels, prediction, heatmap, measured)


def survey(classifier: Classifier, records: Sequence[Record]) -> SurveyFigures:
    """Sum up explained radiographs, at least one.

    Parameters
    ----------
    classifier
        Its operating points say which fractures it found.
    records
        Of fractured radiographs.
    """
    rows = [record.row for record in records]
    resampling = Resampling(None, sources_of(rows))
    measured = [record.faithfulness for record in records if record.faithfulness is not None]

    def contrast(ours: str, chance: str, sign: int) -> Contrast | None:
        if len(measured) < len(records):
            return None
        first, second = (
            np.array([getattr(one, name) for one in measured]) for name in (ours, chance)
        )
        return Contrast(
            resampling.mean(first),
            resampling.mean(second),
            resampling.mean(sign * (first - second)),
        )

    return SurveyFigures(
        images=len(records),
        groups=resampling.groups,
        deletion=contrast("deletion", "random_deletion", -1),
        insertion=contrast("insertion", "random_insertion", 1),
        blurred=contrast("hottest_drop", "random_drop", 1),
        pointing=play(
            rows,
            [record.point for record in records],
            np.array([record.probability for record in records]),
            classifier.points,
            resampling,
        ),
    )
