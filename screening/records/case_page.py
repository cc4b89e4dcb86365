"""The rows of one page of the list, for whatever filter.

A page is one stretch of an index: of that in the list's order, or of that of a filter's column.
Where a filter is a range, as of days, the stretches of its values are merged. Free text and a
moment are looked up first: mostly few studies have them.

Filters of one shape, as *a body part and two verdicts*, share a statement and differ by its values:
to build one costs as much as to run it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from screening.domain.review import Opinion
from screening.domain.search_words import queried
from screening.domain.triage import places
from screening.domain.verdict import Verdict
from screening.records.case_filter import CaseFilter, Cursor
from screening.records.list_schema import StudyReasonRow, StudyWordRow
from screening.records.schema import StudyRow

MOST_MERGED_DAYS = 14
"""A longer span of days is so large a part of all studies that the list is read in its order."""

_FEW = 1000
_SOME = 20_000
# Sorts after every character that a word may hold.
_LAST = chr(0x10FFFF)


class Clause(NamedTuple):
    """A condition without its values; these are told apart by its number."""

    kind: str
    number: int = 0


Clauses = tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What filters have in common that differ by their values alone.

    Attributes
    ----------
    common
        What holds for all rows.
    stretches
        What holds for the rows of each stretch besides; a row is in one of them.
    has_reason
        Whether the stretches are those of a reason, in its own table.
    is_limited
        Whether a page has an end.
    """

    common: Clauses
    stretches: tuple[Clauses, ...]
    has_reason: bool
    is_limited: bool


@dataclass(slots=True)
class Page:
    """A page that is asked for: its shape follows from what was added."""

    values: dict[str, Any] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def clause(self, kind: str, *values: object) -> Clause:
        """Note the values of a condition, and return it."""
        number = self._numbers[kind] = self._numbers.get(kind, -1) + 1
        for letter, value in zip("ab", values, strict=False):
            self.values[f"{kind}_{number}_{letter}"] = value
        return Clause(kind, number)


def ask(
    session: Session, wanted: CaseFilter, limit: int | None, after: Cursor | None
) -> tuple[Shape, dict[str, Any]]:
    """Return the shape of a page, and the values of its statement.

    Parameters
    ----------
    session
        An open transaction: what few studies have is looked up at once.
    wanted
        Which studies.
    limit
        At most so many; ``None`` for all.
    after
        Where the page before ended.
    """
    page = Page()
    few, frequent = _looked_up(page, session, wanted)
    # Of few studies one stretch is short, and each stretch would hold their rows once more.
    days, opinions = _days(page, wanted), _opinions(page, wanted)
    if few is not None:
        days, opinions = _all_days(page, wanted), _any_opinion(page, wanted)
    shape = Shape(
        common=(*_alike(page, wanted), *frequent, *_among(page, few)),
        stretches=tuple(_stretches(_ranges(page, wanted, after), days, opinions)),
        has_reason=wanted.reason is not None,
        is_limited=limit is not None,
    )
    if limit is not None:
        page.values["limit"] = limit
    return shape, page.values


def rows_of(shape: Shape) -> Select[int, int]:
    """Return the query for rows and places of studies, most urgent first."""
    if not shape.stretches:
        return select(StudyRow.id, StudyRow.place).where(StudyRow.id.is_(None))
    parts = [_part(shape, stretch) for stretch in shape.stretches]
    if len(parts) == 1:
        return parts[0]
    subqueries = [part.subquery() for part in parts]
    merged = union_all(*(select(part.c.id, part.c.place) for part in subqueries)).subquery()
    query = select(merged.c.id, merged.c.place).order_by(merged.c.place, merged.c.id)
    return query.limit(bindparam("limit")) if shape.is_limited else query


def _part(shape: Shape, stretch: Clauses) -> Select[int, int]:
    """Return one stretch in the list's order; of a reason, that of its own table."""
    conditions = [_condition(clause, shape.has_reason) for clause in (*shape.common, *stretch)]
    if shape.has_reason:
        query = (
            select(StudyReasonRow.study_row.label("id"), StudyReasonRow.place)
            .join(StudyRow, StudyRow.id == StudyReasonRow.study_row)
            .where(*conditions)
            .order_by(StudyReasonRow.place, StudyReasonRow.study_row)
        )
    else:
        query = select(StudyRow.id, StudyRow.place).where(*conditions)
        query = query.order_by(StudyRow.place, StudyRow.id)
    return query.limit(bindparam("limit")) if shape.is_limited else query


def _alike(page: Page, wanted: CaseFilter) -> Iterator[Clause]:
    if wanted.reviewed is False:
        yield page.clause("not_reviewed")
    if wanted.body_part:
        yield page.clause("body_part", wanted.body_part)
    if wanted.calling_ae_title:
        yield page.clause("sender", wanted.calling_ae_title)
    if wanted.reason is not None:
        yield page.clause("reason", wanted.reason.value)


def _looked_up(
    page: Page, session: Session, wanted: CaseFilter
) -> tuple[set[int] | None, list[Clause]]:
    """Return the rows of what few studies have, and conditions for what many have."""
    few: list[set[int]] = []
    frequent: list[Clause] = []
    for beginning in queried(wanted.text):
        ends = {"first": beginning, "last": beginning + _LAST}
        begins = _begins("first", "last")
        # One study may have many words that begin so.
        rows = select(StudyWordRow.study_row).where(begins).distinct()
        found = set(session.scalars(rows.limit(_FEW + 1), ends))
        if len(found) <= _FEW:
            few.append(found)
            continue
        some = select(StudyWordRow.study_row).where(begins).limit(_SOME + 1).subquery()
        count = session.scalar(select(func.count()).select_from(some), ends) or 0
        frequent.append(page.clause("rare_word" if count <= _SOME else "word", *ends.values()))
    if wanted.since is not None:
        recent = [StudyRow.last_received_at >= wanted.since]
        if wanted.until is not None:
            recent.append(StudyRow.last_received_at < wanted.until)
        found = set(session.scalars(select(StudyRow.id).where(*recent).limit(_FEW + 1)))
        if len(found) <= _FEW:
            few.append(found)
        else:
            frequent.append(page.clause("since", wanted.since))
            if wanted.until is not None:
                frequent.append(page.clause("until", wanted.until))
    return (set.intersection(*few) if few else None), frequent


def _among(page: Page, few: set[int] | None) -> Iterator[Clause]:
    if few is not None:
        yield page.clause("among", sorted(few))


def _stretches(*parts: Iterable[Clauses]) -> Iterator[Clauses]:
    """Yield what makes each stretch: a range of places, by day and by opinion where these count."""
    for choice in product(*map(list, parts)):
        yield tuple(clause for clauses in choice for clause in clauses)


def _ranges(page: Page, wanted: CaseFilter, after: Cursor | None) -> Iterator[Clauses]:
    """Yield ranges of places, without what lies before a page: its own place is one by itself."""
    everything = wanted.verdicts == frozenset(Verdict)
    if everything and after is None:
        yield ()
        return
    for first, last in places(wanted.verdicts):
        if after is None or after.place < first:
            yield (page.clause("places", first, last),)
        elif after.place <= last:
            yield (page.clause("behind", after.place, after.row),)
            if after.place < last:
                yield (page.clause("places", after.place + 1, last),)


def _days(page: Page, wanted: CaseFilter) -> Iterator[Clauses]:
    first, last = wanted.first_date, wanted.last_date
    if first is None or last is None or (last - first).days >= MOST_MERGED_DAYS:
        yield from _all_days(page, wanted)
        return
    for number in range((last - first).days + 1):
        yield (page.clause("day", first + dt.timedelta(days=number)),)


def _all_days(page: Page, wanted: CaseFilter) -> Iterator[Clauses]:
    first, last = wanted.first_date, wanted.last_date
    bounds = [page.clause("from_date", first)] if first is not None else []
    bounds += [page.clause("to_date", last)] if last is not None else []
    yield tuple(bounds)


def _opinions(page: Page, wanted: CaseFilter) -> Iterator[Clauses]:
    if not wanted.reviewed:
        yield ()
        return
    for opinion in Opinion:
        yield (page.clause("opinion", opinion.value),)


def _any_opinion(page: Page, wanted: CaseFilter) -> Iterator[Clauses]:
    yield (page.clause("reviewed"),) if wanted.reviewed else ()


# Not the column itself: by its own index all its studies would be sorted for one page. Compared by
# `op`, as ruff takes the plain comparison for one that is the wrong way round.
_DATE = func.coalesce(StudyRow.study_date, StudyRow.study_date)


def _condition(clause: Clause, by_reason: bool) -> ColumnElement[bool]:
    """Return a condition over values to come."""
    row = StudyReasonRow.study_row if by_reason else StudyRow.id
    place = StudyReasonRow.place if by_reason else StudyRow.place
    name = f"{clause.kind}_{clause.number}"
    a, b = f"{name}_a", f"{name}_b"
    match clause.kind:
        case "places":
            return place.between(bindparam(a), bindparam(b))
        case "behind":
            return and_(place == bindparam(a), row > bindparam(b))
        case "day":
            return StudyRow.study_date == bindparam(a)
        case "from_date":
            return _DATE.op(">=")(bindparam(a))
        case "to_date":
            return _DATE.op("<=")(bindparam(a))
        case "opinion":
            return StudyRow.review == bindparam(a)
        case "reviewed":
            return StudyRow.review.is_not(None)
        case "not_reviewed":
            return StudyRow.review.is_(None)
        case "body_part":
            return StudyRow.body_part == bindparam(a)
        case "sender":
            return StudyRow.calling_ae_title == bindparam(a)
        case "reason":
            return StudyReasonRow.reason == bindparam(a)
        case "among":
            return row.in_(bindparam(a, expanding=True))
        case "since":
            return StudyRow.last_received_at >= bindparam(a)
        case "until":
            return StudyRow.last_received_at < bindparam(a)
        case "rare_word":
            # These studies first, then their order.
            return row.in_(select(StudyWordRow.study_row).where(_begins(a, b)))
        case "word":
            # The list in its order, each study asked.
            return exists().where(StudyWordRow.study_row == StudyRow.id, _begins(a, b))
    raise AssertionError(f"there is no condition {clause.kind}")


def _begins(first: str, last: str) -> ColumnElement[bool]:
    # Bare texts: the column's own collation holds for the comparison.
    return StudyWordRow.word.between(bindparam(first, type_=Text()), bindparam(last, type_=Text()))
