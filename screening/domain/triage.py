"""The order of the list: which study a radiologist should look at first.

The rule, in this order:

1. the verdict: suspected, doubtful, waiting, not scored, clear;
2. the lane: stat before overnight;
3. the score, in bands of five hundredths: a difference within one says nothing;
4. who has waited longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from screening.domain.lane import Lane
from screening.domain.verdict import URGENCY, Verdict

BANDS = tuple((19 - band) / 20 for band in range(20))
"""The lowest score of each band, the highest band first."""

_PER_LANE = 100
_PER_VERDICT = _PER_LANE * len(Lane)


def place(verdict: Verdict, lane: Lane, score: float | None) -> int:
    """Return a study's place in the list: the smaller, the sooner; equal ones by arrival.

    Parameters
    ----------
    verdict
        Of the study.
    lane
        The most urgent of its images.
    score
        The highest of its images, in [0, 1]; ``None`` comes after every score.
    """
    band = len(BANDS)
    if score is not None:
        band = next(index for index, lowest in enumerate(BANDS) if score >= lowest)
    return URGENCY.index(verdict) * _PER_VERDICT + lane.value * _PER_LANE + band


def places(verdicts: Iterable[Verdict]) -> list[tuple[int, int]]:
    """Return the ranges of places, from and to inclusive, that studies of some verdicts have."""
    ranges: list[tuple[int, int]] = []
    for index in sorted(URGENCY.index(verdict) for verdict in set(verdicts)):
        first, last = index * _PER_VERDICT, (index + 1) * _PER_VERDICT - 1
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    return ranges


def place_in_sql() -> str:
    """Return `place` as an expression over the columns verdict, lane and top_probability."""
    return " ".join(_words())


def _words() -> Iterator[str]:
    yield "CASE verdict"
    for index, verdict in enumerate(URGENCY):
        yield f"WHEN '{verdict.value}' THEN {index * _PER_VERDICT}"
    yield f"END + lane * {_PER_LANE} + CASE WHEN top_probability IS NULL THEN {len(BANDS)}"
    for index, lowest in enumerate(BANDS):
        yield f"WHEN top_probability >= {lowest} THEN {index}"
    yield "END"
