"""What reviewers said of an image, as a label; what a model said is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from screening.domain.agreement import says_fractured
from screening.domain.review import Review
from screening.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Label:
    """A label, and where it comes from: ``image_review`` or ``study_review``."""

    fractured: bool
    source: str

    @property
    def word(self) -> str:
        """As labelled sets have it."""
        return "fractured" if self.fractured else "not_fractured"


def label_of(reviews: Sequence[Review], sop_instance_uid: str) -> Label | None:
    """Return the label of an image, ``None`` where nobody said, or they were not certain.

    The newest review of the image that names a finding counts before the newest of the study: a
    study with a fracture may have views that do not show it.

    Parameters
    ----------
    reviews
        Those of the study and its images that stand, the newest last.
    """
    for review in reversed(reviews):
        if review.sop_instance_uid == sop_instance_uid and review.finding is not None:
            return _label(review, "image_review")
    for review in reversed(reviews):
        if review.sop_instance_uid is None:
            return _label(review, "study_review")
    return None


def _label(review: Review, source: str) -> Label | None:
    assert review.opinion is not None  # only what was taken back has none
    said = says_fractured(Verdict(review.verdict), review.opinion, review.finding)
    return None if said is None else Label(said, source)
