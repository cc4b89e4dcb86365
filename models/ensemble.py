"""Several classifiers as one: the average of their calibrated logits, or a stacked weighing.

The average is that of Lakshminarayanan et al., *Simple and scalable predictive uncertainty
estimation using deep ensembles* (NeurIPS 2017), taken over logits; stacking is Wolpert's, *Stacked
generalization* (Neural Networks 1992), with a logistic regression fitted on the validation split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.classifier import Classifier, PreparedImage
from models.dataset import LabelledRadiograph
from models.evaluation.scoring import Step, silent
from models.image_file import read_grey, unit_range
from models.selection import choose_points
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.verdict import OperatingPoints
from screening.errors import TrainingError

AVERAGE, STACKED = "average", "stacked"
_EDGE = 1e-6  # a probability is kept this far from 0 and 1, so that its logit is finite
_BATCH = 16
_Floats = NDArray[np.float64]


def logits_of(probabilities: _Floats) -> _Floats:
    """Return the logits of probabilities of any shape, kept finite."""
    kept = np.clip(probabilities, _EDGE, 1 - _EDGE)
    found: _Floats = np.log(kept) - np.log1p(-kept)
    return found


@dataclass(frozen=True, slots=True)
class Mixture:
    """A weighing of the members' calibrated logits.

    Attributes
    ----------
    kind
        ``average`` or ``stacked``.
    weights
        One for each member.
    bias
        Added to the weighted sum.
    """

    kind: str
    weights: tuple[float, ...]
    bias: float = 0.0

    def probabilities(self, members: _Floats) -> _Floats:
        """Return the mixture's probabilities (N,) from the members' (N, M), both in [0, 1]."""
        mixed = logits_of(members) @ np.array(self.weights) + self.bias
        # In the middle of its two forms, the logistic function overflows in neither.
        found: _Floats = 0.5 * (1.0 + np.tanh(0.5 * mixed))
        return found


def average(members: int) -> Mixture:
    """Return the mixture in which every member counts alike."""
    return Mixture(AVERAGE, (1.0 / members,) * members)


def fit_stack(probabilities: _Floats, labels: NDArray[np.int_]) -> Mixture:
    """Fit a logistic regression on the members' logits.

    Parameters
    ----------
    probabilities
        Of the members on the validation split, float (N, M) in [0, 1].
    labels
        Integer (N,), 1 for a fracture, both present.

    Raises
    ------
    TrainingError
        If a class is missing.
    """
    if len(np.unique(labels)) < 2:
        raise TrainingError(
            "a stacked ensemble is fitted on validation images of both classes: add the other"
        )
    logits = logits_of(probabilities)
    spread = logits.std(0) + 1e-6
    fitted = LogisticRegression(C=1.0).fit(logits / spread, labels)
    weights = tuple(float(weight) for weight in fitted.coef_[0] / spread)
    return Mixture(STACKED, weights, float(fitted.intercept_[0]))


class Ensemble:
    """Several classifiers that answer as one does.

    Parameters
    ----------
    members
        At least two. Each prepares an image in its own way.
    mixture
        A weight for each of them.
    points
        The operating points, chosen on validation data for this mixture.

    Attributes
    ----------
    identity : ModelIdentity
        Its digest covers the members' and the mixture.
    points : OperatingPoints
        As given.
    """

    def __init__(
        self, members: Sequence[Classifier], mixture: Mixture, points: OperatingPoints
    ) -> None:
        if len(members) < 2 or len(members) != len(mixture.weights):
            raise TrainingError(
                f"an ensemble has two members or more and a weight for each, not {len(members)} "
                f"members and {len(mixture.weights)} weights"
            )
        self.members = tuple(members)
        self.mixture = mixture
        self.points = points
        self.identity = _identity(self.members, mixture)
        # Where it looked is told by the member that counts most.
        self._pointer = int(np.argmax(mixture.weights))

    def prepare(self, pixels: NDArray[np.float32]) -> tuple[PreparedImage, ...]:
        """Fit a radiograph, float32 (H, W) in [0, 1], to each member.

        Raises
        ------
        PixelError
            If it is no image.
        """
        return tuple(member.prepare(pixels) for member in self.members)

    def score(self, images: Sequence[tuple[PreparedImage, ...]]) -> list[Prediction]:
        """Score a batch of prepared radiographs, in order: a forward pass for each member."""
        if not images:
            return []
        scored = [
            member.score([image[number] for image in images])
            for number, member in enumerate(self.members)
        ]
        each = np.array([[item.probability for item in predictions] for predictions in scored]).T
        mixed = self.mixture.probabilities(each)
        return [
            Prediction(float(probability), pointed.hottest_x, pointed.hottest_y)
            for probability, pointed in zip(mixed, scored[self._pointer], strict=True)
        ]


def _identity(members: Sequence[Classifier], mixture: Mixture) -> ModelIdentity:
    parts = [member.identity.digest for member in members]
    content = f"{mixture.kind} {mixture.weights} {mixture.bias} {' '.join(parts)}"
    digest = hashlib.sha256(content.encode()).hexdigest()
    names = "+".join(member.identity.name for member in members)
    return ModelIdentity(f"{mixture.kind}({names})", "0", digest)


def make_ensemble(
    members: Sequence[Classifier],
    rows: Sequence[LabelledRadiograph],
    kind: str = AVERAGE,
    on_image: Step = silent,
) -> Ensemble:
    """Make an ensemble; all that is chosen is chosen on the validation split.

    Parameters
    ----------
    members
        At least two.
    rows
        Of the validation split: never of a test split.
    kind
        ``average`` or ``stacked``.
    on_image
        Called as images are scored, with how many and of how many.

    Raises
    ------
    TrainingError
        If there are fewer than two members, the kind is another, or a class is missing.
    """
    if kind not in (AVERAGE, STACKED):
        raise TrainingError(f"an ensemble is {AVERAGE} or {STACKED}, not {kind!r}")
    if len(members) < 2:
        raise TrainingError("an ensemble has two members or more: name another")
    labels = np.array([row.fractured for row in rows])
    each = _score(members, rows, on_image)
    mixture = average(len(members)) if kind == AVERAGE else fit_stack(each, labels)
    return Ensemble(members, mixture, choose_points(mixture.probabilities(each), labels))


def _score(
    members: Sequence[Classifier],
    rows: Sequence[LabelledRadiograph],
    on_image: Step,
) -> _Floats:
    each = np.empty((len(rows), len(members)))
    for at in range(0, len(rows), _BATCH):
        batch = [unit_range(read_grey(row.path)) for row in rows[at : at + _BATCH]]
        for number, member in enumerate(members):
            scored = member.score([member.prepare(pixels) for pixels in batch])
            each[at : at + len(batch), number] = [item.probability for item in scored]
        on_image(at + len(batch), len(rows))
    return each
