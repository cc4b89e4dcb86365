"""Why an image was not scored: a closed list, each with the sentence that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an image has no score. An abstention is a result, with one of these and a detail."""

    NOT_A_RADIOGRAPH = "not_a_radiograph"
    BODY_PART_OUT_OF_SCOPE = "body_part_out_of_scope"
    NO_PIXEL_DATA = "no_pixel_data"
    CANNOT_DECODE = "cannot_decode"
    TOO_SMALL = "too_small"
    BLANK_OR_SATURATED = "blank_or_saturated"
    MULTI_FRAME = "multi_frame"
    DERIVED_BY_US = "derived_by_us"
    BELOW_AGE = "below_age"
    UNLIKE_TRAINING = "unlike_training"
    ERROR = "error"

    @property
    def sentence(self) -> str:
        """The reason in words, for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.NOT_A_RADIOGRAPH: "not a radiograph for reading",
    Reason.BODY_PART_OUT_OF_SCOPE: "body part out of scope",
    Reason.NO_PIXEL_DATA: "no pixel data",
    Reason.CANNOT_DECODE: "cannot be decoded",
    Reason.TOO_SMALL: "too small",
    Reason.BLANK_OR_SATURATED: "blank or saturated",
    Reason.MULTI_FRAME: "multi-frame",
    Reason.DERIVED_BY_US: "made by Nightread itself",
    Reason.BELOW_AGE: "patient below the configured age",
    Reason.UNLIKE_TRAINING: "unlike the training images",
    Reason.ERROR: "failed after every attempt",
}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One image's reason for having no score.

    Attributes
    ----------
    reason
        From the closed list.
    detail
        What in particular, without patient data: a transfer syntax, a body part, a size,
        a strangeness, an error.
    """

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.sentence}: {self.detail}" if self.detail else self.reason.sentence
