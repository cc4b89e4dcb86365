"""How far radiologists share the verdicts: shares with intervals, over what they reviewed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from screening.domain.review import Finding, Opinion
from screening.domain.verdict import FLAGGED, SCORED, Verdict

_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """A part of something, with its 95 % interval.

    Attributes
    ----------
    count, of
        The part and the whole.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; ``None`` of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval (J. Am. Stat. Assoc. 22, 1927); ``None`` of nothing."""
        if not self.of:
            return None
        share, square = self.count / self.of, _Z * _Z / self.of
        middle = (share + square / 2) / (1 + square)
        half = math.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class ReviewedCase:
    """A study with its newest standing review.

    Attributes
    ----------
    verdict
        As the reviewer saw it.
    score
        The highest of its images, as it stands.
    body_part, scanner
        Of its first image; empty where unknown.
    day
        On which it was reviewed.
    """

    study_instance_uid: str
    verdict: Verdict
    score: float | None
    opinion: Opinion
    finding: Finding | None
    body_part: str
    scanner: str
    day: dt.date

    @property
    def fractured(self) -> bool | None:
        """Whether the reviewer holds that there is a fracture; ``None`` where that is not said."""
        return says_fractured(self.verdict, self.opinion, self.finding)

    @property
    def is_discordant(self) -> bool:
        """Whether the reviewer sees what we did not flag, or does not see what we did."""
        return self.fractured is not None and self.fractured is not (self.verdict in FLAGGED)


_SAID: Mapping[Finding, bool | None] = {
    Finding.FRACTURE: True,
    Finding.NO_FRACTURE: False,
    Finding.OTHER: False,
    Finding.INADEQUATE: None,
}


def says_fractured(verdict: Verdict, opinion: Opinion, finding: Finding | None) -> bool | None:
    """Say whether a review of a verdict holds that there is a fracture; ``None`` where not said."""
    if finding is not None:
        return _SAID[finding]
    if opinion is Opinion.UNCERTAIN or verdict not in SCORED:
        return None
    return (verdict in FLAGGED) is (opinion is Opinion.AGREE)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What reviews say of the verdicts of some studies.

    Attributes
    ----------
    label
        Which studies; empty for all.
    agreed
        Opinions that share the verdict, of those that are certain.
    precision
        Fractures among flagged studies: the positive predictive value.
    precision_suspected
        The same among suspected ones.
    sensitivity
        Flagged studies among those with a fracture. Of what was reviewed: a fracture in a study
        that nobody reviewed is not in it.
    """

    label: str
    reviewed: int
    agreed: Share
    precision: Share
    precision_suspected: Share
    sensitivity: Share


def agreement(cases: Sequence[ReviewedCase], label: str = "") -> Agreement:
    """Sum up some reviewed studies."""
    known = [case for case in cases if case.fractured is not None]
    flagged = [case for case in known if case.verdict in FLAGGED]
    suspected = [case for case in known if case.verdict is Verdict.SUSPECTED]
    fractured = [case for case in known if case.fractured]
    certain = [case for case in cases if case.opinion is not Opinion.UNCERTAIN]
    return Agreement(
        label=label,
        reviewed=len(cases),
        agreed=_share(certain, lambda case: case.opinion is Opinion.AGREE),
        precision=_share(flagged, lambda case: case.fractured is True),
        precision_suspected=_share(suspected, lambda case: case.fractured is True),
        sensitivity=_share(fractured, lambda case: case.verdict in FLAGGED),
    )


def agreement_by(
    cases: Iterable[ReviewedCase], label: Callable[[ReviewedCase], str]
) -> list[Agreement]:
    """Sum up reviewed studies by a label of theirs, the labels in their order."""
    groups: dict[str, list[ReviewedCase]] = {}
    for case in cases:
        groups.setdefault(label(case), []).append(case)
    return [agreement(groups[name], name) for name in sorted(groups)]


def week_of(case: ReviewedCase) -> str:
    """Return the ISO week in which a study was reviewed, as 2026-W09."""
    year, week, _ = case.day.isocalendar()
    return f"{year}-W{week:02}"


def _share(cases: Sequence[ReviewedCase], holds: Callable[[ReviewedCase], bool]) -> Share:
    return Share(sum(map(holds, cases)), len(cases))
