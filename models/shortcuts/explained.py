"""How much of the area under the ROC curve each cue explains alone, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.evaluation.estimate import Estimate
from models.group_bootstrap import GroupBootstrap

ALL_LINEAR = "all together, linear"
ALL_BOOSTED = "all together, boosted"
_Cues = NDArray[np.float64]
_Labels = NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class CueFigure:
    """What can be said of the labels from a cue alone.

    Attributes
    ----------
    cue
        Its name.
    auc
        Of a small model of the cue, fitted on the train split, measured on the other. 0.5 is
        nothing; below it, the cue leads astray.
    fractured_range, other_range
        The cue's 5th and 95th percentile among the fractured and among the rest of the split.
        ``None`` for several cues together, or where no film has the cue.
    """

    cue: str
    auc: Estimate
    fractured_range: tuple[float, float] | None = None
    other_range: tuple[float, float] | None = None


def explain(
    names: Sequence[str],
    train: tuple[_Cues, _Labels],
    measured: tuple[_Cues, _Labels],
    bootstrap: GroupBootstrap,
) -> tuple[CueFigure, ...]:
    """Measure each cue, and all together.

    A cue may speak in either direction, or lie between two bounds: a small gradient-boosted model
    of it is fitted on the train split, so that both count. All together are fitted in two ways, as
    a logistic regression and boosted.

    Parameters
    ----------
    names
        Of the columns.
    train, measured
        Cues (N, C) with NaN where there is none, and labels (N,), of the two splits.
    bootstrap
        Of the measured split.
    """
    (known, known_labels), (cues, labels) = train, measured
    figures = []
    for number, name in enumerate(names):
        one = slice(number, number + 1)
        auc = bootstrap.area(_boosted(known[:, one], known_labels, cues[:, one]))
        figures.append(
            CueFigure(
                name, auc, _range(cues[labels == 1, number]), _range(cues[labels == 0, number])
            )
        )
    linear = bootstrap.area(_linear(known, known_labels, cues))
    boosted = bootstrap.area(_boosted(known, known_labels, cues))
    return (*figures, CueFigure(ALL_LINEAR, linear), CueFigure(ALL_BOOSTED, boosted))


def _boosted(known: _Cues, labels: _Labels, cues: _Cues) -> _Cues:
    present = ~np.isnan(known).all(0)
    if not present.any():
        return np.zeros(len(cues))
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=4,
        min_samples_leaf=max(5, len(known) // 50),
        learning_rate=0.1,
        early_stopping=False,
        random_state=0,
    )
    found: _Cues = model.fit(known[:, present], labels).decision_function(cues[:, present])
    return found


def _linear(known: _Cues, labels: _Labels, cues: _Cues) -> _Cues:
    # A cue that is absent everywhere, as the JPEG quality in a set of PNGs, becomes a constant.
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    model = make_pipeline(imputer, StandardScaler(), LogisticRegression(max_iter=1000))
    found: _Cues = model.fit(known, labels).decision_function(cues)
    return found


def _range(values: _Cues) -> tuple[float, float] | None:
    present = values[~np.isnan(values)]
    if not present.size:
        return None
    low, high = np.percentile(present, (5, 95))
    return float(low), float(high)
