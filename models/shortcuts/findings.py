"""The test for shortcuts on one set: what the cues say, and what they do to a classifier."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from models.dataset import LabelledRadiograph, read_split, sources_of
from models.evaluation.estimate import Estimate
from models.evaluation.scoring import Step, silent
from models.group_bootstrap import GroupBootstrap
from models.shortcuts.cue import CUES, read_cues
from models.shortcuts.explained import CueFigure, explain
from models.shortcuts.movement import Movement, choose_films, measure_movements
from screening.domain.prediction import ModelIdentity

HARDWARE = "hardware"
"""A column that is a cue wherever a table has it: implants follow fractures."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the test found.

    Attributes
    ----------
    data, split
        The set, as its folder is called, and the split that was measured.
    trained_on, images, fractured, groups
        Counts: of the train split, on which the models of the cues were fitted, and of the other.
    cues
        What each explains, and all together.
    model
        The classifier, or ``None`` where the set alone was looked at.
    films
        How many films were changed.
    auc
        Of the classifier, on those films as they are.
    movements
        What each change did.
    """

    data: str
    split: str
    trained_on: int
    images: int
    fractured: int
    groups: int
    cues: tuple[CueFigure, ...]
    model: ModelIdentity | None = None
    films: int = 0
    auc: Estimate | None = None
    movements: tuple[Movement, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fractions rounded to four places."""
        found: dict[str, Any] = _rounded(dataclasses.asdict(self))
        return found


def _rounded(value: Any) -> Any:  # noqa: ANN401  (any plain value)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def examine(
    data: Path,
    classifier: Classifier | None = None,
    *,
    split: str = "val",
    films: int = 100,
    columns: Sequence[str] | None = None,
    on_image: Step = silent,
    on_score: Step = silent,
) -> Findings:
    """Test a set for shortcuts, and a classifier for leaning on them.

    Parameters
    ----------
    data
        Folder of a labelled set, with a ``train`` split.
    classifier
        Whose scores are to be watched; ``None`` for the set alone.
    split
        The one to measure on.
    films
        How many films to change.
    columns
        Columns of the table that are cues too. ``None`` for ``hardware``, if there is one.
    on_image, on_score
        Called as films are read and as scores are made, with how many and of how many.

    Raises
    ------
    TrainingError
        If the set cannot be used, or a column does not exist or holds words.
    """
    train, rows = read_split(data, "train"), read_split(data, split)
    chosen = _columns(rows) if columns is None else tuple(columns)
    cues = read_cues([*train, *rows], chosen, on_image)
    known, labels = _labels(train), _labels(rows)
    sources = sources_of(rows)
    bootstrap = GroupBootstrap(labels, sources)
    found = explain(
        (*CUES, *chosen), (cues[: len(train)], known), (cues[len(train) :], labels), bootstrap
    )
    findings = Findings(
        data=data.resolve().name,
        split=split,
        trained_on=len(train),
        images=len(rows),
        fractured=int(labels.sum()),
        groups=len(set(sources)),
        cues=found,
    )
    if classifier is None:
        return findings
    changed = choose_films(rows, films)
    auc, movements = measure_movements(classifier, changed, on_score)
    return dataclasses.replace(
        findings,
        model=classifier.identity,
        films=len(changed),
        auc=auc,
        movements=movements,
    )


def _columns(rows: Sequence[LabelledRadiograph]) -> tuple[str, ...]:
    return (HARDWARE,) if HARDWARE in rows[0].attributes else ()


def _labels(rows: Sequence[LabelledRadiograph]) -> NDArray[np.int_]:
    return np.array([row.fractured for row in rows])
