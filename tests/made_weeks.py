"""Weeks of studies written straight into records: steady ones, and such as drift."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from screening.domain.account import Role
from screening.domain.review import Opinion
from screening.domain.verdict import OperatingPoints, Verdict
from screening.records import users
from screening.records.desk_schema import ReviewRow
from screening.records.engine import Records
from screening.records.list_schema import StudyReasonRow
from screening.records.schema import PatientRow, SeriesRow, StudyRow

TODAY = dt.date(2026, 11, 19)
"""A Thursday."""

_POINTS = OperatingPoints(0.2, 0.6)


@dataclass(frozen=True)
class Habit:
    """How the studies of a group look in a week, as chances."""

    studies: int = 60
    flagged: float = 0.15
    not_scored: float = 0.05
    reviewed: float = 0.6
    right: float = 0.6
    """Of flags."""


def make_weeks(
    records: Records,
    scanners: dict[str, Callable[[int], Habit]],
    weeks: int = 20,
    *,
    today: dt.date = TODAY,
    seed: int = 1,
) -> None:
    """File the studies of each scanner; its habit is asked for each week, the oldest being 0."""
    chance = random.Random(seed)
    monday = today - dt.timedelta(days=today.weekday())
    rows = itertools.count(1)
    at = dt.datetime.combine(today, dt.time(), dt.UTC)
    with records.begin() as session:
        reviewer = users.add_user(session, "reviewer", Role.RADIOLOGIST, None, at)
        session.execute(insert(PatientRow).values(id=1, identity_digest="0" * 64))
        for (scanner, habit), week in itertools.product(scanners.items(), range(weeks)):
            begins = monday - dt.timedelta(weeks=weeks - 1 - week)
            for row, result in zip(rows, _results(habit(week), chance), strict=False):
                made = begins + dt.timedelta(days=chance.randrange(7))
                _file(session, row, scanner, made, result, chance, habit(week), reviewer.row)


def _results(habit: Habit, chance: random.Random) -> Iterator[float | None]:
    """Yield a score for each study, ``None`` where it has none."""
    for _ in range(habit.studies):
        if chance.random() < habit.not_scored:
            yield None
        elif chance.random() < habit.flagged:
            yield chance.uniform(0.2, 1.0)
        else:
            yield 0.2 * chance.random() ** 2


def _file(
    session: Session,
    row: int,
    scanner: str,
    made: dt.date,
    score: float | None,
    chance: random.Random,
    habit: Habit,
    reviewer: int,
) -> None:
    verdict = Verdict.NOT_SCORED if score is None else _POINTS.verdict(score)
    is_flagged = verdict in (Verdict.SUSPECTED, Verdict.DOUBTFUL)
    opinion = None
    if is_flagged and chance.random() < habit.reviewed:
        opinion = Opinion.AGREE if chance.random() < habit.right else Opinion.DISAGREE
    at = dt.datetime.combine(made, dt.time(12), dt.UTC)
    session.execute(
        insert(StudyRow).values(
            id=row,
            study_instance_uid=f"2.25.{row}",
            patient_row=1,
            study_date=made,
            body_part=("HAND", "FOOT")[row % 2],
            age_years=float(row % 90),
            first_received_at=at,
            last_received_at=at,
            verdict=verdict.value,
            top_probability=score,
            revision=1,
            images_received=2,
            images_scored=0 if score is None else 2,
            images_not_scored=2 if score is None else 0,
            review=opinion.value if opinion else None,
        )
    )
    maker, _, station = scanner.partition(" ")
    session.execute(
        insert(SeriesRow).values(
            id=row,
            study_row=row,
            series_instance_uid=f"2.25.1{row}",
            manufacturer=maker or None,
            station_name=station or None,
        )
    )
    if score is None:
        reason = chance.choice(["too_small", "cannot_decode"])
        session.execute(insert(StudyReasonRow).values(study_row=row, reason=reason, place=0))
    if opinion:
        session.execute(
            insert(ReviewRow).values(
                study_row=row,
                user_row=reviewer,
                opinion=opinion.value,
                note="",
                verdict=verdict.value,
                revision=1,
                at=at,
            )
        )
