"""Two models on the same images: what is counted, and on what the precisions rest."""

from __future__ import annotations

import datetime as dt

from screening.domain.agreement import ReviewedCase, Share
from screening.domain.appointment import Judge
from screening.domain.prediction import ModelIdentity
from screening.domain.review import Finding, Opinion
from screening.domain.side_by_side import Pair, compare
from screening.domain.verdict import OperatingPoints, Verdict

CHAMPION = Judge(ModelIdentity("old", "1", "a" * 64), OperatingPoints(0.2, 0.6))
SHADOW = Judge(ModelIdentity("new", "1", "b" * 64), OperatingPoints(0.4, 0.8))


def pair(uid: str, champion: float, shadow: float, *seconds: float) -> Pair:
    return Pair(uid, f"{uid}.1", champion, shadow, *seconds)


def review(uid: str, finding: Finding) -> ReviewedCase:
    day = dt.date(2026, 3, 1)
    return ReviewedCase(uid, Verdict.DOUBTFUL, 0.5, Opinion.AGREE, finding, "", "", day)


def test_each_is_judged_by_its_own_points() -> None:
    found = compare(CHAMPION, SHADOW, [pair("1", 0.3, 0.3), pair("2", 0.7, 0.7)], [])
    assert found.table == ((0, 1, 0), (0, 0, 1), (0, 0, 0))
    assert (found.same_verdict, found.only_champion, found.only_shadow) == (0, 1, 0)
    assert (found.champion.flagged, found.shadow.flagged) == (2, 1)
    assert [each.study_instance_uid for each in found.discordant] == ["1"]


def test_the_precision_is_of_reviewed_studies_with_what_each_adds() -> None:
    pairs = [
        pair("both", 0.9, 0.9),
        pair("own", 0.9, 0.1),
        pair("other", 0.1, 0.9),
        pair("unseen", 0.1, 0.9),
        pair("neither", 0.1, 0.1),
    ]
    reviewed = [
        review("both", Finding.FRACTURE),
        review("own", Finding.NO_FRACTURE),
        review("other", Finding.FRACTURE),
        review("neither", Finding.FRACTURE),
        review("elsewhere", Finding.FRACTURE),
    ]
    found = compare(CHAMPION, SHADOW, pairs, reviewed)
    assert found.champion.precision == Share(1, 2)
    assert found.shadow.precision == Share(2, 2)
    assert (found.champion.flagged_alone, found.shadow.flagged_alone) == (Share(0, 1), Share(1, 1))
    assert found.reviewed_only_shadow == Share(1, 2)
    assert found.studies == 5


def test_a_study_is_flagged_by_any_of_its_images() -> None:
    pairs = [pair("1", 0.1, 0.9), pair("1", 0.9, 0.1)]
    found = compare(CHAMPION, SHADOW, pairs, [review("1", Finding.FRACTURE)])
    assert (found.only_champion, found.only_shadow, found.studies) == (1, 1, 1)
    assert found.shadow.flagged_alone == Share(0, 0), "as a study both flag it"
    assert found.champion.precision == found.shadow.precision == Share(1, 1)


def test_scores_and_seconds_are_summed_up() -> None:
    pairs = [pair("1", 0.0, 1.0, 0.1, 0.4), pair("2", 0.05, 0.99, 0.3, 0.4), pair("3", 0.5, 0.5)]
    found = compare(CHAMPION, SHADOW, pairs, [])
    assert [place for place, n in enumerate(found.champion.histogram) if n] == [0, 1, 10]
    assert found.shadow.histogram[19] == 2
    assert (found.champion.seconds, found.shadow.seconds) == (0.2, 0.4)


def test_of_no_images_there_is_nothing_to_say() -> None:
    found = compare(CHAMPION, SHADOW, [], [])
    assert (found.images, found.champion.seconds, found.discordant) == (0, None, ())
    assert found.champion.precision.value is None
