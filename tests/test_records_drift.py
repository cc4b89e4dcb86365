"""Studies counted by week and group, on both databases; drift that is planted is found."""

from __future__ import annotations

import datetime as dt

import pytest
from filed_cases import file_study
from made_weeks import TODAY, Habit, make_weeks

from screening.domain.account import Role
from screening.domain.agreement import Share
from screening.domain.dimension import Dimension
from screening.domain.drift import Group, judge, weeks_until
from screening.domain.figure import Figure
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.review import Opinion
from screening.domain.week_count import WeekCount
from screening.records import reviews, users
from screening.records.agreement import reviewed_cases
from screening.records.drift import count_undated, count_weeks
from screening.records.engine import Records
from worklist.drift import read_drift

MONDAY = dt.date(2026, 11, 9)
NOW = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)
BLANK = Exclusion(Reason.BLANK_OR_SATURATED)
SMALL = Exclusion(Reason.TOO_SMALL)
OURS = Exclusion(Reason.DERIVED_BY_US)


def count(records: Records, by: Dimension = Dimension.WEEK, weeks: int = 2) -> tuple[Group, ...]:
    with records.read() as session:
        return count_weeks(session, by, weeks_until(TODAY, weeks))


def only(records: Records, number: int = 0) -> WeekCount:
    (group,) = count(records)
    return group.weeks[number]


def test_a_week_is_from_monday_to_sunday(records: Records) -> None:
    for number, day in enumerate(range(-1, 15)):
        made = MONDAY + dt.timedelta(days=day)
        file_study(records, f"1.{number}", Prediction(0.1), study_date=made)
    (group,) = count(records)
    assert [week.studies for week in group.weeks] == [7, 7]
    assert [week.begins for week in group.weeks] == [MONDAY, MONDAY + dt.timedelta(weeks=1)]


def test_weeks_go_on_across_the_year(records: Records) -> None:
    for day in (dt.date(2026, 12, 28), dt.date(2026, 12, 31), dt.date(2027, 1, 3)):
        file_study(records, f"1.{day:%j}", Prediction(0.1), study_date=day)
    file_study(records, "1.4", Prediction(0.1), study_date=dt.date(2027, 1, 4))
    with records.read() as session:
        mondays = weeks_until(dt.date(2027, 1, 5), 3)
        (group,) = count_weeks(session, Dimension.WEEK, mondays)
    assert [week.studies for week in group.weeks] == [0, 3, 1]


def test_what_waits_is_counted_and_in_no_share(records: Records) -> None:
    file_study(records, "1.1", None, study_date=MONDAY)
    file_study(records, "1.2", Prediction(0.7), Prediction(0.1), study_date=MONDAY)
    file_study(records, "1.3", BLANK, None, study_date=MONDAY)
    week = only(records)
    assert (week.studies, week.images, week.read, week.scored) == (3, 5, 1, 1)
    assert (week.flagged, week.not_scored, dict(week.reasons)) == (1, 0, {})
    assert dict(week.scores) == {700: 1} or dict(week.scores) == {699: 1}


def test_a_study_with_two_reasons_is_one_that_was_not_scored(records: Records) -> None:
    file_study(records, "1.1", BLANK, SMALL, Prediction(0.1), study_date=MONDAY)
    file_study(records, "1.2", SMALL, SMALL, study_date=MONDAY)
    file_study(records, "1.3", Prediction(0.1), study_date=MONDAY)
    week = only(records)
    assert (week.read, week.scored, week.not_scored) == (3, 2, 2)
    assert dict(week.reasons) == {"blank_or_saturated": 1, "too_small": 2}


def test_our_own_objects_that_came_back_are_no_failure(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.1), OURS, study_date=MONDAY)
    file_study(records, "1.2", BLANK, OURS, study_date=MONDAY)
    week = only(records)
    assert (week.not_scored, dict(week.reasons)) == (1, {"blank_or_saturated": 1})


def test_a_study_without_a_date_is_in_no_week_and_is_told(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.1))
    assert count(records) == ()
    with records.read() as session:
        assert count_undated(session) == 1


def test_groups_are_scanners_body_parts_and_ages(records: Records) -> None:
    for number, (maker, model, station, part, age) in enumerate(
        [
            ("ACME", "Ray", "DX-1", "HAND", 5.9),
            ("ACME", "Ray", "DX-2", "HAND", 6.0),
            ("ACME", "Ray", "DX-2", None, 64.9),
            (None, None, None, "FOOT", 65.0),
            (None, None, None, "FOOT", None),
        ]
    ):
        file_study(
            records,
            f"1.{number}",
            Prediction(0.1),
            study_date=MONDAY,
            manufacturer=maker,
            manufacturer_model=model,
            station_name=station,
            body_part=part,
            age_years=age,
        )
    found = {by: {each.label: each.studies for each in count(records, by)} for by in Dimension}
    assert found[Dimension.SCANNER] == {
        "scanner not named": 2,
        "ACME Ray DX-1": 1,
        "ACME Ray DX-2": 2,
    }
    assert found[Dimension.BODY_PART] == {"HAND": 2, "FOOT": 2, "no body part": 1}
    assert found[Dimension.AGE] == {
        "0 to 5 years": 1,
        "6 to 11 years": 1,
        "40 to 64 years": 1,
        "65 and over": 1,
        "no age": 1,
    }
    assert found[Dimension.WEEK] == {"all studies": 5}


def test_reviews_count_by_the_newest_that_stands_in_the_week_of_the_study(
    records: Records,
) -> None:
    for number in range(3):
        file_study(records, f"1.{number}", Prediction(0.9), study_date=MONDAY)
    file_study(records, "1.9", Prediction(0.9), study_date=dt.date(2026, 6, 1))
    with records.begin() as session:
        anna = users.add_user(session, "anna", Role.RADIOLOGIST, None, NOW)
        ben = users.add_user(session, "ben", Role.RADIOLOGIST, None, NOW)
        for uid, who, opinion in [
            ("1.0", anna, Opinion.AGREE),
            ("1.0", ben, Opinion.DISAGREE),
            ("1.1", anna, Opinion.AGREE),
            ("1.2", anna, Opinion.AGREE),
            ("1.9", anna, Opinion.AGREE),
        ]:
            reviews.add_review(session, uid, who, opinion, NOW)
        reviews.take_back(session, "1.2", anna, NOW)
    week = only(records)
    assert (week.agreed, week.precision) == (Share(1, 2), Share(1, 2))
    with records.read() as session:
        made = {each.study_instance_uid for each in reviewed_cases(session, made=(MONDAY, TODAY))}
    assert made == {"1.0", "1.1"}


def test_drift_that_is_planted_is_found_and_named(records: Records) -> None:
    make_weeks(
        records,
        {
            "ACME DX-1": lambda _: Habit(),
            "ACME DX-2": lambda week: Habit(flagged=0.15 if week < 17 else 0.45),
            "ACME DX-3": lambda week: Habit(not_scored=0.05 if week < 18 else 0.35),
            "ACME DX-4": lambda week: Habit(
                flagged=0.3, reviewed=1.0, right=0.8 if week < 16 else 0.1
            ),
        },
    )
    found = read_drift(records, Dimension.SCANNER, 20, TODAY)
    outside = {
        (each.group.label, course.figure): [point.week.begins for point in course.outside]
        for each in found.board.groups
        for course in each.courses
        if course.outside
    }
    monday = TODAY - dt.timedelta(days=TODAY.weekday())
    weeks = [monday - dt.timedelta(weeks=back) for back in range(4)]
    assert outside["ACME DX-2", Figure.FLAGGED] == weeks[:3]
    assert outside["ACME DX-3", Figure.NOT_SCORED] == weeks[:2]
    assert outside["ACME DX-4", Figure.PRECISION] == weeks
    assert not any(label == "ACME DX-1" for label, _ in outside)
    assert {each.group.label for each in found.recent} == {"ACME DX-2", "ACME DX-3", "ACME DX-4"}


def test_a_steady_hospital_sounds_no_more_alarms_than_chance(records: Records) -> None:
    habits = {f"ACME DX-{number}": lambda _: Habit(studies=40) for number in range(8)}
    make_weeks(records, habits, seed=7)
    found = read_drift(records, Dimension.SCANNER, 20, TODAY)
    assert sum(each.group.studies for each in found.board.groups) == 8 * 20 * 40
    assert found.board.judged > 350
    assert found.board.expected <= 1.0
    assert found.board.outside <= 2


@pytest.mark.parametrize("by", list(Dimension))
def test_every_study_is_in_one_group(records: Records, by: Dimension) -> None:
    make_weeks(records, {"ACME DX-1": lambda _: Habit(), "B": lambda _: Habit(20)}, weeks=10)
    groups = count(records, by, weeks=10)
    assert sum(group.studies for group in groups) == 800
    board = judge(groups)
    for group in board.groups:
        for week in group.group.weeks:
            assert week.scored == sum(week.scores.values())
            assert week.read == week.studies
