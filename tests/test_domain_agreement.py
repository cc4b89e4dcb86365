"""Agreement, precision, sensitivity, and what a threshold costs."""

from __future__ import annotations

import datetime as dt

import pytest
from desk import TestDesk
from hypothesis import given
from hypothesis import strategies as st

from phantoms.load import small_study
from screening.domain.agreement import ReviewedCase, Share, agreement, agreement_by, week_of
from screening.domain.alert_budget import LocalStudies
from screening.domain.prediction import Prediction
from screening.domain.review import Finding, Opinion
from screening.domain.verdict import Verdict
from screening.settings import Settings

AGREE, DISAGREE, UNCERTAIN = Opinion.AGREE, Opinion.DISAGREE, Opinion.UNCERTAIN


def case(
    verdict: Verdict,
    opinion: Opinion,
    finding: Finding | None = None,
    *,
    score: float | None = 0.5,
    part: str = "HAND",
) -> ReviewedCase:
    day = dt.date(2026, 1, 1)
    return ReviewedCase("1.2", verdict, score, opinion, finding, part, "X1", day)


@pytest.mark.parametrize(
    ("reviewed", "fractured"),
    [
        (case(Verdict.SUSPECTED, AGREE), True),
        (case(Verdict.DOUBTFUL, DISAGREE), False),
        (case(Verdict.CLEAR, AGREE), False),
        (case(Verdict.CLEAR, DISAGREE), True),
        (case(Verdict.CLEAR, UNCERTAIN), None),
        (case(Verdict.NOT_SCORED, AGREE), None),
        (case(Verdict.CLEAR, AGREE, Finding.FRACTURE), True),
        (case(Verdict.SUSPECTED, DISAGREE, Finding.OTHER), False),
        (case(Verdict.SUSPECTED, AGREE, Finding.INADEQUATE), None),
    ],
)
def test_a_finding_decides_and_without_one_the_opinion(
    reviewed: ReviewedCase, fractured: bool | None
) -> None:
    assert reviewed.fractured is fractured


def test_shares_are_of_what_is_known() -> None:
    cases = [
        case(Verdict.SUSPECTED, AGREE),
        case(Verdict.SUSPECTED, DISAGREE),
        case(Verdict.DOUBTFUL, DISAGREE, part="FOOT"),
        case(Verdict.CLEAR, DISAGREE, part="FOOT"),
        case(Verdict.CLEAR, AGREE),
        case(Verdict.DOUBTFUL, UNCERTAIN),
    ]
    found = agreement(cases)
    assert found.reviewed == 6
    assert found.agreed == Share(2, 5)
    assert found.precision == Share(1, 3)
    assert found.precision_suspected == Share(1, 2)
    assert found.sensitivity == Share(1, 2)
    assert [each.label for each in agreement_by(cases, lambda one: one.body_part)] == [
        "FOOT",
        "HAND",
    ]
    assert week_of(cases[0]) == "2026-W01"
    assert [each.is_discordant for each in cases] == [False, True, True, True, False, False]


def test_an_interval_is_wilsons() -> None:
    # Worked out by hand from the formula: 8 of 10.
    low, high = Share(8, 10).interval or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert Share(0, 0).interval is None
    assert Share(0, 0).value is None


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share(count: int, of: int) -> None:
    count = min(count, of)
    low, high = Share(count, of).interval or (1, 0)
    assert 0 <= low <= count / of + 1e-12
    assert count / of - 1e-12 <= high <= 1


def test_a_budget_is_kept_by_the_lowest_threshold() -> None:
    scores = {900: 5, 500: 5, 100: 90}
    reviewed = [
        case(Verdict.SUSPECTED, AGREE, score=0.9),
        case(Verdict.SUSPECTED, DISAGREE, score=0.9),
        case(Verdict.DOUBTFUL, AGREE, score=0.5),
        case(Verdict.CLEAR, UNCERTAIN, score=0.1),
    ]
    here = LocalStudies(scores, reviewed)
    five, seven, ten, every = [here.by_flags(most).cost for most in (5, 7, 10, 100)]
    assert five is not None
    assert ten is not None
    assert every is not None
    assert (five.threshold, five.flags_per_hundred) == (0.501, 5.0)
    assert seven == five
    assert (ten.threshold, ten.flags_per_hundred) == (0.101, 10.0)
    assert (five.precision, five.sensitivity) == (Share(1, 2), Share(1, 2))
    assert (ten.precision, ten.sensitivity) == (Share(2, 3), Share(2, 2))
    assert every.threshold == 0.0


def test_a_precision_is_reached_by_the_lowest_threshold() -> None:
    truths = [(0.9, AGREE), (0.8, AGREE), (0.6, DISAGREE), (0.5, AGREE), (0.4, DISAGREE)]
    reviewed = [case(Verdict.SUSPECTED, opinion, score=score) for score, opinion in truths]
    here = LocalStudies({900: 1, 800: 1, 600: 1, 500: 1, 400: 1, 100: 95}, reviewed)
    thresholds = {
        least: cost.threshold if (cost := here.by_precision(least).cost) else None
        for least in (0.5, 0.7, 0.75, 0.8, 1.0)
    }
    assert thresholds == {0.5: 0.4, 0.7: 0.5, 0.75: 0.5, 0.8: 0.8, 1.0: 0.8}


def test_a_budget_that_no_threshold_keeps_has_none() -> None:
    all_sure = LocalStudies({1000: 10}, [case(Verdict.SUSPECTED, DISAGREE, score=1.0)])
    assert all_sure.by_flags(50).cost is None
    assert all_sure.by_precision(0.5).cost is None
    nothing = LocalStudies({}, [])
    assert nothing.by_flags(5).cost is None
    assert nothing.cost(0.5) is None


def test_reviews_at_the_desk_are_the_statistics(settings: Settings) -> None:
    desk = TestDesk(settings)
    uids = [
        desk.file(next(small_study(number, 1)), Prediction(score))
        for number, score in enumerate([0.9, 0.8, 0.1])
    ]
    anna = desk.signed_in("anna")
    for uid, opinion in zip(uids, ("agree", "disagree", "disagree"), strict=True):
        anna.post(f"/api/v1/studies/{uid}/reviews", json={"opinion": opinion})
    found = anna.get("/api/v1/statistics?flags=50").json()
    assert found["overall"]["reviewed"] == 3
    assert (found["overall"]["precision"]["count"], found["overall"]["precision"]["of"]) == (1, 2)
    assert found["overall"]["sensitivity"]["value"] == 0.5
    assert {case["study_instance_uid"] for case in found["discordant"]} == set(uids[1:])
    assert found["by_flags"][0]["cost"]["flags_per_hundred"] == pytest.approx(100 / 3)
    anna.delete(f"/api/v1/studies/{uids[0]}/reviews/newest")
    assert anna.get("/api/v1/statistics").json()["overall"]["reviewed"] == 2
    page = anna.get("/statistics")
    assert page.status_code == 200
    assert "Discordant cases" in page.text
    assert anna.get("/api/v1/statistics?flags=101").status_code == 422
    desk.close()
