"""Two models beside each other, on the images that both have scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from screening.domain.agreement import ReviewedCase, Share
from screening.domain.appointment import Judge
from screening.domain.verdict import FLAGGED, Verdict

BINS = 20
"""Of the distribution of scores, each a twentieth wide."""

ORDER = (Verdict.SUSPECTED, Verdict.DOUBTFUL, Verdict.CLEAR)
"""Of rows and columns."""

_MOST_DISCORDANT = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """What champion and shadow said of one image.

    Attributes
    ----------
    champion, shadow
        Probabilities in [0, 1].
    champion_seconds, shadow_seconds
        That scoring took; ``None`` where nobody took the time.
    """

    study_instance_uid: str
    sop_instance_uid: str
    champion: float
    shadow: float
    champion_seconds: float | None = None
    shadow_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models.

    Attributes
    ----------
    judge
        The model, and the points by which it is judged here.
    flagged
        Images that it flags: its score is at least at its high sensitivity point.
    flagged_studies
        Studies of which it flags an image.
    precision
        Fractures among the studies that it flags and that were reviewed.
    flagged_alone
        Fractures among those of them that the other does not flag.
    histogram
        Images by score, in twentieths from 0 to 1.
    seconds
        Median that scoring an image took; ``None`` where nobody took the time.
    """

    judge: Judge
    flagged: int
    flagged_studies: int
    precision: Share
    flagged_alone: Share
    histogram: tuple[int, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What two models make of the same images, each by its own operating points.

    Attributes
    ----------
    images, studies
        That both have scored.
    table
        Images by verdict: the champion's in rows, the shadow's in columns, in the order suspected,
        doubtful, clear.
    same_verdict
        Images of which both say the same.
    only_champion, only_shadow
        Images that one flags and the other does not.
    reviewed_only_shadow
        Of the studies that only the shadow flags, how many were reviewed: reviewers saw none of its
        flags.
    discordant
        Images that one flags alone, the furthest apart first, at most 100.
    """

    champion: Side
    shadow: Side
    images: int
    studies: int
    table: tuple[tuple[int, ...], ...]
    same_verdict: int
    only_champion: int
    only_shadow: int
    reviewed_only_shadow: Share
    discordant: tuple[Pair, ...]


def compare(
    champion: Judge, shadow: Judge, pairs: Sequence[Pair], reviewed: Iterable[ReviewedCase]
) -> SideBySide:
    """Put two models beside each other.

    Parameters
    ----------
    champion, shadow
        With the points by which each is judged.
    pairs
        One for each image.
    reviewed
        Studies with a review; those of other images are left out.
    """
    counted = Counter(
        (champion.points.verdict(pair.champion), shadow.points.verdict(pair.shadow))
        for pair in pairs
    )
    own = {pair.study_instance_uid for pair in pairs if _flags(champion, pair.champion)}
    others = {pair.study_instance_uid for pair in pairs if _flags(shadow, pair.shadow)}
    studies = {pair.study_instance_uid for pair in pairs}
    fractured = {
        case.study_instance_uid: case.fractured
        for case in reviewed
        if case.study_instance_uid in studies and case.fractured is not None
    }
    alone = sorted(
        (pair for pair in pairs if _flags(champion, pair.champion) != _flags(shadow, pair.shadow)),
        key=lambda pair: -abs(pair.champion - pair.shadow),
    )
    only = others - own
    return SideBySide(
        champion=_side(
            champion,
            [pair.champion for pair in pairs],
            [pair.champion_seconds for pair in pairs],
            (own, own - others),
            fractured,
        ),
        shadow=_side(
            shadow,
            [pair.shadow for pair in pairs],
            [pair.shadow_seconds for pair in pairs],
            (others, only),
            fractured,
        ),
        images=len(pairs),
        studies=len(studies),
        table=tuple(tuple(counted[row, column] for column in ORDER) for row in ORDER),
        same_verdict=sum(counted[verdict, verdict] for verdict in ORDER),
        only_champion=sum(n for (a, b), n in counted.items() if a in FLAGGED and b not in FLAGGED),
        only_shadow=sum(n for (a, b), n in counted.items() if b in FLAGGED and a not in FLAGGED),
        reviewed_only_shadow=Share(sum(uid in fractured for uid in only), len(only)),
        discordant=tuple(alone[:_MOST_DISCORDANT]),
    )


def _flags(judge: Judge, probability: float) -> bool:
    return judge.points.verdict(probability) in FLAGGED


def _side(
    judge: Judge,
    scores: Sequence[float],
    seconds: Sequence[float | None],
    flagged: tuple[Collection[str], Collection[str]],
    fractured: Mapping[str, bool | None],
) -> Side:
    bins = Counter(min(BINS - 1, int(score * BINS)) for score in scores)
    taken = [each for each in seconds if each is not None]
    in_all, alone = flagged
    return Side(
        judge=judge,
        flagged=sum(_flags(judge, score) for score in scores),
        flagged_studies=len(in_all),
        precision=_fractures(in_all, fractured),
        flagged_alone=_fractures(alone, fractured),
        histogram=tuple(bins[place] for place in range(BINS)),
        seconds=median(taken) if taken else None,
    )


def _fractures(studies: Iterable[str], fractured: Mapping[str, bool | None]) -> Share:
    known = [fractured[uid] for uid in studies if uid in fractured]
    return Share(sum(each is True for each in known), len(known))
