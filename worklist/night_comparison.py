"""A night beside the nights before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from screening.domain.control_chart import Control, control_mean, control_share
from screening.records.night_counts import GroupCount


@dataclass(frozen=True, slots=True)
class Unusual:
    """A figure of the night beside the nights before.

    Attributes
    ----------
    figure
        ``flagged``, ``not scored`` (shares of studies) or ``mean score``.
    group
        All studies, a scanner or a body part.
    """

    figure: str
    group: str
    control: Control


def compare(
    tonight: Sequence[GroupCount],
    earlier: Sequence[Sequence[GroupCount]],
    scores: Sequence[float],
    old_scores: Sequence[float],
) -> list[Unusual]:
    """Compare a night with those before: shares of all, by scanner and body part; the mean score.

    Parameters
    ----------
    tonight, earlier
        Studies of this night, and of each before.
    scores, old_scores
        Of these studies.
    """
    found = []
    kinds: list[tuple[str, Callable[[GroupCount], str]]] = [
        ("", lambda each: "all"),
        ("scanner ", lambda each: each.scanner or "without a name"),
        ("", lambda each: each.body_part or "no body part"),
    ]
    for prefix, label in kinds:
        for group in sorted({label(each) for each in tonight}):
            now = _sums([each for each in tonight if label(each) == group])
            then = [_sums([e for e in night if label(e) == group]) for night in earlier]
            flagged = control_share(now.flagged, now.scored, [(e.flagged, e.scored) for e in then])
            not_scored = control_share(
                now.not_scored, now.studies, [(e.not_scored, e.studies) for e in then]
            )
            found.append(Unusual("flagged", prefix + group, flagged))
            found.append(Unusual("not scored", prefix + group, not_scored))
    return [*found, Unusual("mean score", "all", control_mean(scores, old_scores))]


def _sums(groups: Sequence[GroupCount]) -> GroupCount:
    return GroupCount(
        scanner="",
        body_part="",
        studies=sum(each.studies for each in groups),
        scored=sum(each.scored for each in groups),
        flagged=sum(each.flagged for each in groups),
        not_scored=sum(each.not_scored for each in groups),
    )
