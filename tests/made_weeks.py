"""Weeks of studies written straight into records: steady ones, and such as drift."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import insert

from screening.domain.account import Role
from screening.domain.verdict import FLAGGED, OperatingPoints, Verdict
from screening.records import users
from screening.records.desk_schema import ReviewRow
from screening.records.engine import Records
from screening.records.list_schema import StudyReasonRow
from screening.records.schema import PatientRow, SeriesRow, StudyRow
from screening.records.table import Table

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
    first: int = 1,
) -> None:
    """File the studies of each scanner; its habit is asked for each week, the oldest being 0.

    Their rows begin at ``first``: others may be there.
    """
    made = Made(random.Random(seed), first)
    monday = today - dt.timedelta(days=today.weekday())
    for (scanner, habit), week in itertools.product(scanners.items(), range(weeks)):
        begins = monday - dt.timedelta(weeks=weeks - 1 - week)
        for _ in range(habit(week).studies):
            made.add(scanner, begins, habit(week))
    made.file(records)


class Made:
    """Studies that are to be filed at once: one by one they would take a minute."""

    def __init__(self, chance: random.Random, first: int) -> None:
        self._chance = chance
        self._first = first
        self._rows: dict[type[Table], list[dict[str, object]]] = {
            table: [] for table in (StudyRow, SeriesRow, StudyReasonRow, ReviewRow)
        }

    def add(self, scanner: str, begins: dt.date, habit: Habit) -> None:
        """Make a study in the week of a Monday."""
        chance, row = self._chance, len(self._rows[StudyRow]) + self._first
        made = begins + dt.timedelta(days=chance.randrange(7))
        at = dt.datetime.combine(made, dt.time(12), dt.UTC)
        score = _score(habit, chance)
        verdict = Verdict.NOT_SCORED if score is None else _POINTS.verdict(score)
        opinion = None
        if verdict in FLAGGED and chance.random() < habit.reviewed:
            opinion = "agree" if chance.random() < habit.right else "disagree"
        self._rows[StudyRow].append(
            {
                "id": row,
                "study_instance_uid": f"2.25.{row}",
                "patient_row": self._first,
                "study_date": made,
                "body_part": ("HAND", "FOOT")[row % 2],
                "age_years": float(row % 90),
                "first_received_at": at,
                "last_received_at": at,
                "verdict": verdict.value,
                "top_probability": score,
                "revision": 1,
                "images_received": 2,
                "images_scored": 0 if score is None else 2,
                "images_not_scored": 2 if score is None else 0,
                "review": opinion,
            }
        )
        maker, _, station = scanner.partition(" ")
        named = {"manufacturer": maker or None, "station_name": station or None}
        key = {"id": row, "study_row": row, "series_instance_uid": f"2.25.1{row}"}
        self._rows[SeriesRow].append(key | named)
        if score is None:
            reason = chance.choice(["too_small", "cannot_decode"])
            self._rows[StudyReasonRow].append({"study_row": row, "reason": reason, "place": 0})
        if opinion:
            review = {"study_row": row, "user_row": 1, "opinion": opinion, "note": ""}
            seen = {"verdict": verdict.value, "revision": 1, "at": at}
            self._rows[ReviewRow].append(review | seen)

    def file(self, records: Records) -> None:
        """Write them all."""
        with records.begin() as session:
            now = dt.datetime.combine(TODAY, dt.time(), dt.UTC)
            reviewer = users.add_user(session, "reviewer", Role.RADIOLOGIST, None, now)
            session.execute(insert(PatientRow).values(id=self._first, identity_digest="0" * 64))
            for row in self._rows[ReviewRow]:
                row["user_row"] = reviewer.row
            for table, rows in self._rows.items():
                if rows:
                    session.execute(insert(table), rows)


def _score(habit: Habit, chance: random.Random) -> float | None:
    if chance.random() < habit.not_scored:
        return None
    if chance.random() < habit.flagged:
        return chance.uniform(0.2, 1.0)
    return 0.2 * chance.random() ** 2
