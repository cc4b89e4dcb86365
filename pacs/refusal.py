"""What somebody to whom results are brought did not take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not taken.

    Attributes
    ----------
    explanation
        Why, in words, without patient data.
    is_for_good
        Whether it would be the same an hour later.
    """

    explanation: str
    is_for_good: bool
