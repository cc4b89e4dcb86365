"""From a probability to a verdict, and from an image's verdicts to its study's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What we say of an image or a study.

    ``suspected`` and ``clear`` lie outside the two operating points, ``doubtful`` between them.
    A study is ``waiting`` before its first result, and ``not_scored`` if none of its images could
    be.
    """

    SUSPECTED = "suspected"
    DOUBTFUL = "doubtful"
    CLEAR = "clear"
    NOT_SCORED = "not_scored"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class OperatingPoints:
    """The two thresholds on the probability of a fracture, chosen on validation data.

    Attributes
    ----------
    high_sensitivity
        Below it an image is clear. In [0, 1].
    high_specificity
        From it on an image is suspected. In [0, 1], at least ``high_sensitivity``.
    """

    high_sensitivity: float
    high_specificity: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.high_sensitivity <= self.high_specificity <= 1.0:
            raise ValueError(
                "operating points must satisfy 0 <= high_sensitivity <= high_specificity <= 1, "
                f"not {self.high_sensitivity} and {self.high_specificity}"
            )

    def verdict(self, probability: float) -> Verdict:
        """Return the verdict on an image whose probability of a fracture is ``probability``."""
        if probability >= self.high_specificity:
            return Verdict.SUSPECTED
        if probability >= self.high_sensitivity:
            return Verdict.DOUBTFUL
        return Verdict.CLEAR


_BY_URGENCY = (Verdict.SUSPECTED, Verdict.DOUBTFUL, Verdict.CLEAR)


def study_verdict(scored: Iterable[Verdict], waiting: int) -> Verdict:
    """Return the living verdict of a study.

    The most urgent image decides: one suspected view is a suspected study, however many are clear.

    Parameters
    ----------
    scored
        The verdicts of the images scored so far.
    waiting
        How many images still have neither a score nor a reason.
    """
    present = set(scored)
    for verdict in _BY_URGENCY:
        if verdict in present:
            return verdict
    return Verdict.WAITING if waiting else Verdict.NOT_SCORED


def weight(verdict: Verdict, probability: float) -> tuple[int, float]:
    """Return what orders the scores of a study's images: the greatest is the study's own.

    The verdict comes first. Where two models have scored images of one study, each by its own
    operating points, a lower probability of one may be suspected and a higher one of the other
    clear; the score that is shown is then that of the image that decides.
    """
    return -_BY_URGENCY.index(verdict), probability


URGENCY = (
    Verdict.SUSPECTED,
    Verdict.DOUBTFUL,
    Verdict.WAITING,
    Verdict.NOT_SCORED,
    Verdict.CLEAR,
)
"""The order of a list of all studies: what is flagged, what nobody has looked at, the rest."""

FLAGGED = frozenset({Verdict.SUSPECTED, Verdict.DOUBTFUL})
"""The verdicts that ask for a radiologist's look."""

SCORED = FLAGGED | {Verdict.CLEAR}
"""The verdicts that say something of the patient."""
