"""What a radiologist says of a study, or of one of its images."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

LONGEST_NOTE = 2000
"""Characters of a note."""


class Opinion(StrEnum):
    """Whether the radiologist shares the verdict."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNCERTAIN = "uncertain"


class Finding(StrEnum):
    """What the radiologist sees."""

    FRACTURE = "fracture"
    NO_FRACTURE = "no_fracture"
    OTHER = "other_abnormality"
    INADEQUATE = "technically_inadequate"


def contradicts(opinion: Opinion, finding: Finding | None, *, is_flagged: bool) -> bool:
    """Say whether an opinion of a study's verdict and what was seen cannot both be meant."""
    if opinion is Opinion.UNCERTAIN or finding not in (Finding.FRACTURE, Finding.NO_FRACTURE):
        return False
    sees_as_we_do = (finding is Finding.FRACTURE) is is_flagged
    return sees_as_we_do is not (opinion is Opinion.AGREE)


@dataclass(frozen=True, slots=True)
class Review:
    """One review; a later one stands beside it and never in its place.

    Attributes
    ----------
    number
        Of the review.
    opinion
        ``None`` where the review before was taken back.
    finding, note
        As said; a note may be empty.
    sop_instance_uid
        Of the one image that is meant; ``None`` for the study.
    verdict, revision
        Of the study, when it was reviewed.
    reviewer, at
        Who, and when. UTC.
    """

    number: int
    opinion: Opinion | None
    finding: Finding | None
    note: str
    sop_instance_uid: str | None
    verdict: str
    revision: int
    reviewer: str
    at: dt.datetime
