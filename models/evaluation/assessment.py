"""A bundle measured on a set, and the way to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.audit.entry import Entry
from models.audit.table import USUAL, Columns
from models.bundle import read_bundle
from models.classifier import load_classifier
from models.dataset import LabelledRadiograph, read_entries, read_split, rows_of
from models.evaluation.cost import Cost, measure_cost
from models.evaluation.figures import Figures, measure, rounded
from models.evaluation.leakage import Leakage, find_leakage
from models.evaluation.scoring import Refused, Scored, Scorer, Step, score_rows, select, silent
from models.evaluation.subgroup import FAMILIAR, SmallSubgroup, parts, subgroups
from models.labels import split_of
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.errors import TrainingError

ALL = "all"
"""In place of a split: every row, whatever its split."""

TEST = "test"


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured: a set, and which of its rows.

    Attributes
    ----------
    data, root, columns
        As for `models.dataset.read_split`.
    split
        A split, ``all``, or ``None`` for ``test`` where the set has one and for all rows where not.
    where
        Columns and the values that a row must have to count.
    by
        Columns that divide the set into parts; ``None`` for those that are known.
    """

    data: Path
    root: Path | None = None
    columns: Columns = USUAL
    split: str | None = None
    where: Mapping[str, str] = dataclasses.field(default_factory=dict)
    by: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """A bundle measured on a set.

    Attributes
    ----------
    identity, points
        Of the classifier.
    measured
        What was asked.
    split
        Which was measured; ``all`` for every row.
    figures
        With those of the parts.
    small
        Parts with too few images of a class.
    scored
        Rows and predictions, and what was not scored.
    leakage
        What the images share with training images.
    cost
        Of the classifier.
    """

    identity: ModelIdentity
    points: OperatingPoints
    measured: Measured
    split: str
    figures: Figures
    small: tuple[SmallSubgroup, ...]
    scored: Scored
    leakage: Leakage
    cost: Cost

    @property
    def unlike(self) -> tuple[LabelledRadiograph, ...]:
        """Images that the classifier finds unlike its training images; they were measured too."""
        pairs = zip(self.scored.rows, self.scored.predictions, strict=True)
        return tuple(row for row, prediction in pairs if prediction.unlike)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON holds; ``docs/evaluation.md`` lists the keys."""
        unlike = self.unlike
        return {
            "format": 1,
            "bundle": dataclasses.asdict(self.identity),
            "data": str(self.measured.data),
            "split": self.split,
            "where": dict(self.measured.where),
            **self.figures.as_dict(),
            "subgroups_too_small": [dataclasses.asdict(item) for item in self.small],
            "unlike_training": {
                "images": len(unlike),
                "fractured": sum(row.fractured for row in unlike),
            },
            "not_scored": [_refused(item) for item in self.scored.refused],
            "leaks": dataclasses.asdict(self.leakage),
            "cost": rounded(dataclasses.asdict(self.cost)),
        }


def _refused(item: Refused) -> dict[str, Any]:
    return {
        "path": item.row.name or str(item.row.path),
        "label": "fractured" if item.row.fractured else "not_fractured",
        "reason": item.reason,
    }


def choose_rows(entries: Sequence[Entry], split: str | None) -> tuple[str, list[Entry]]:
    """Return the split that is measured, ``all`` where it is every row, and its entries.

    Raises
    ------
    TrainingError
        If the set has no such split.
    """
    present = {entry.split for entry in entries}
    if split is None:
        split = TEST if TEST in present else ALL
    wanted = split_of(split) or split
    if wanted in present:
        return wanted, [entry for entry in entries if entry.split == wanted]
    if wanted == ALL:
        return ALL, list(entries)
    raise TrainingError(
        f"the set has no split {split!r}, but {', '.join(sorted(present - {''})) or 'none'}: name "
        f"one of them with --split, or {ALL} for every row"
    )


def assess(bundle: str | Path, measured: Measured, on_image: Step = silent) -> Assessment:
    """Measure a bundle on a set.

    Parameters
    ----------
    bundle
        A shipped bundle's name, or a folder.
    measured
        The set, and which of its rows.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    BundleError
        If the bundle cannot be loaded.
    TrainingError
        If the set cannot be used, or no image of one class can be scored.
    """
    described = read_bundle(bundle)
    entries = read_entries(measured.data, root=measured.root, columns=measured.columns)
    split, chosen = choose_rows(entries, measured.split)
    rows = select(rows_of(chosen, measured.data, measured.root), measured.where)
    parts(rows, measured.by)  # a column that does not exist is an error before the work begins
    classifier = load_classifier(bundle)
    scored = score_rows(classifier, rows, on_image)
    leakage = find_leakage(entries, scored.rows, described.metadata)
    figures, small = _figures(classifier, scored, measured.by)
    return Assessment(
        classifier.identity,
        classifier.points,
        measured,
        split,
        dataclasses.replace(figures, leaking=leakage.leaking),
        small,
        scored,
        leakage,
        measure_cost(described, classifier, scored.images_per_second),
    )


def _figures(
    classifier: Scorer, scored: Scored, by: Sequence[str] | None
) -> tuple[Figures, tuple[SmallSubgroup, ...]]:
    rows = _with_familiarity(scored)
    figures = measure(classifier, rows, scored.predictions, scored.images_per_second)
    measured, small = subgroups(classifier.points, rows, scored.predictions, by)
    return dataclasses.replace(figures, subgroups=measured), small


def _with_familiarity(scored: Scored) -> list[LabelledRadiograph]:
    """Add a column of our own where the classifier finds some images unlike its training."""
    unlike = [prediction.unlike for prediction in scored.predictions]
    if not any(unlike):
        return list(scored.rows)
    return [
        dataclasses.replace(row, attributes=row.attributes | {FAMILIAR: "0" if strange else "1"})
        for row, strange in zip(scored.rows, unlike, strict=True)
    ]


def evaluate(
    classifier: Scorer,
    data: Path,
    split: str = TEST,
    where: Mapping[str, str] | None = None,
    on_image: Step = silent,
    *,
    root: Path | None = None,
    columns: Columns = USUAL,
) -> Figures:
    """Score a split and measure, every image of it.

    Parameters
    ----------
    classifier
        As :func:`models.bundle.load_classifier` gives it.
    data, root, columns
        Of a labelled set, as for `models.dataset.read_split`.
    split
        Which one.
    where
        Columns and the values that a row must have to count.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    TrainingError
        If the set cannot be used, or one of its images cannot be scored.
    """
    rows = select(read_split(data, split, root=root, columns=columns), where or {})
    scored = score_rows(classifier, rows, on_image)
    if scored.refused:
        first = scored.refused[0]
        raise TrainingError(
            f"{len(scored.refused)} of {len(rows)} images could not be scored, the first "
            f"{first.row.path}: {first.reason}"
        )
    return measure(classifier, scored.rows, scored.predictions, scored.images_per_second)
