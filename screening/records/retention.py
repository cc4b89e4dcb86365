"""Which pixels are due to go, and what holds others back.

The unit is a study: its pixels go together. A file that several rows need goes when it is due for
each of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from screening.domain.retention import Hindrance, Policy, Rule
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.records.desk_schema import ReviewRow
from screening.records.hindrances import hindrances_of
from screening.records.keeping_schema import RemovalRow
from screening.records.parts import in_parts
from screening.records.removals import is_gone
from screening.records.schema import ConflictRow, InstanceRow, StudyRow

Place = tuple[dt.datetime, int]
"""Of a study among all: when its last image came, and its row."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A study, and what the rules say of its pixels.

    Attributes
    ----------
    row, study_instance_uid
        Of the study.
    since
        From when its time is counted: its last image, other bytes under the UID of one, review, or
        return. UTC.
    rule
        The one that holds; ``None`` if none speaks of it.
    is_over
        Whether its time is over.
    hindrances
        What keeps it all the same.
    files
        Size by digest of what is in the archive for it; without those that are to stay.
    """

    row: int
    study_instance_uid: str
    since: dt.datetime
    rule: Rule | None
    is_over: bool
    hindrances: tuple[Hindrance, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether its pixels may go."""
        return self.is_over and not self.hindrances

    @property
    def size_bytes(self) -> int:
        """Of its files."""
        return sum(self.files.values())


def studies_over(
    session: Session,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    *,
    after: Place | None,
    limit: int,
) -> tuple[list[Judged], Place | None]:
    """Return a page of studies that have pixels and whose time is over, the oldest first.

    Parameters
    ----------
    places
        Names of the destinations; ``None`` where none are configured.
    after
        Where the page before ended.

    Returns
    -------
    list of Judged, Place
        The second ``None`` where there is no further page.
    """
    if policy.shortest_days is None:
        return [], None
    limit_at = now - dt.timedelta(days=policy.shortest_days)
    kept = select(InstanceRow.id).where(
        InstanceRow.study_row == StudyRow.id, ~is_gone(InstanceRow.digest)
    )
    query = (
        select(StudyRow.last_received_at, StudyRow.id)
        .where(StudyRow.last_received_at <= limit_at, or_(exists(kept), _has_other_bytes()))
        .order_by(StudyRow.last_received_at, StudyRow.id)
        .limit(limit)
    )
    if after is not None:
        later = StudyRow.last_received_at > after[0]
        same = and_(StudyRow.last_received_at == after[0], StudyRow.id > after[1])
        query = query.where(or_(later, same))
    found = [(at, row) for at, row in session.execute(query)]
    judged = judge(session, policy, places, now, [row for _, row in found])
    end = found[-1] if len(found) == limit else None
    return [each for each in judged.values() if each.is_over and each.files], end


def _has_other_bytes() -> ColumnElement[bool]:
    """Say of a study whether other bytes came under the UID of one of its images, and are kept."""
    return exists(
        select(ConflictRow.id)
        .join(InstanceRow, InstanceRow.id == ConflictRow.instance_row)
        .where(InstanceRow.study_row == StudyRow.id, ~is_gone(ConflictRow.digest))
    )


def judge(
    session: Session,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    rows: Sequence[int],
) -> dict[int, Judged]:
    """Say of studies, by their rows, whether their pixels may go, and which files these are."""
    alone = judge_alone(session, policy, places, now, rows)
    files = _files(session, rows)
    users = users_of(session, {digest for each in files.values() for digest in each})
    others = {row for needed in users.values() for row in needed} - alone.keys()
    known = alone | judge_alone(session, policy, places, now, list(others))
    return {row: _with_files(each, files.get(row, {}), users, known) for row, each in alone.items()}


def _with_files(
    study: Judged,
    files: Mapping[str, int],
    users: Mapping[str, set[int]],
    known: Mapping[int, Judged],
) -> Judged:
    """Return a study with the files that are due for everybody who needs them."""
    free = {
        digest: size
        for digest, size in files.items()
        if all(known[row].is_due for row in users[digest] - {study.row})
    }
    is_shared = bool(files) and not free
    return Judged(
        study.row,
        study.study_instance_uid,
        study.since,
        study.rule,
        study.is_over,
        (*study.hindrances, *([Hindrance.SHARED] if is_shared else [])),
        files if is_shared else free,
    )


def users_of(session: Session, digests: Collection[str]) -> dict[str, set[int]]:
    """Return the studies that need each of some files: their image, or other bytes of theirs."""
    held = select(ConflictRow.digest, InstanceRow.study_row).join(
        InstanceRow, InstanceRow.id == ConflictRow.instance_row
    )
    named = select(ConflictRow.digest, StudyRow.id).join(
        StudyRow, StudyRow.study_instance_uid == ConflictRow.study_instance_uid
    )
    found: dict[str, set[int]] = {digest: set() for digest in digests}
    for part in in_parts(digests):
        for query in (
            select(InstanceRow.digest, InstanceRow.study_row).where(InstanceRow.digest.in_(part)),
            held.where(ConflictRow.digest.in_(part)),
            named.where(ConflictRow.digest.in_(part)),
        ):
            for digest, row in session.execute(query):
                found[digest].add(row)
    return found


def judge_alone(
    session: Session,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    rows: Sequence[int],
) -> dict[int, Judged]:
    """Judge studies without a look at their files."""
    since = _since(session, rows)
    hindered = hindrances_of(session, rows, places)
    found = {}
    for study in session.execute(
        select(StudyRow.id, StudyRow.study_instance_uid, StudyRow.verdict, StudyRow.review).where(
            StudyRow.id.in_(rows)
        )
    ):
        opinion = Opinion(study.review) if study.review else None
        rule = policy.rule_for(Verdict(study.verdict), opinion)
        found[study.id] = Judged(
            study.id,
            study.study_instance_uid,
            since[study.id],
            rule,
            rule is not None and rule.is_over(since[study.id], now),
            tuple(each for each in Hindrance if study.id in hindered.get(each, ())),
        )
    return {row: found[row] for row in rows if row in found}


def _since(session: Session, rows: Sequence[int]) -> dict[int, dt.datetime]:
    """Return when the last thing happened that lets the time of a study begin anew."""
    back = RemovalRow.returned_at
    others = (
        select(InstanceRow.study_row, func.max(ConflictRow.received_at))
        .join(ConflictRow, ConflictRow.instance_row == InstanceRow.id)
        .where(InstanceRow.study_row.in_(rows))
    )
    moments = (
        select(StudyRow.id, StudyRow.last_received_at).where(StudyRow.id.in_(rows)),
        select(ReviewRow.study_row, func.max(ReviewRow.at))
        .where(ReviewRow.study_row.in_(rows))
        .group_by(ReviewRow.study_row),
        select(InstanceRow.study_row, func.max(back))
        .join(RemovalRow, RemovalRow.digest == InstanceRow.digest)
        .where(InstanceRow.study_row.in_(rows), back.is_not(None))
        .group_by(InstanceRow.study_row),
        others.group_by(InstanceRow.study_row),
        others.with_only_columns(InstanceRow.study_row, func.max(back))
        .join(RemovalRow, RemovalRow.digest == ConflictRow.digest)
        .where(back.is_not(None))
        .group_by(InstanceRow.study_row),
    )
    found: dict[int, dt.datetime] = {}
    for query in moments:
        for row, at in session.execute(query):
            if at is not None:
                found[row] = max(at, found.get(row, at))
    return found


def _files(session: Session, rows: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return the files of studies that are in the archive, with their sizes."""
    images = select(InstanceRow.study_row, InstanceRow.digest, InstanceRow.size_bytes).where(
        InstanceRow.study_row.in_(rows), ~is_gone(InstanceRow.digest)
    )
    others = (
        select(InstanceRow.study_row, ConflictRow.digest, ConflictRow.size_bytes)
        .join(InstanceRow, InstanceRow.id == ConflictRow.instance_row)
        .where(InstanceRow.study_row.in_(rows), ~is_gone(ConflictRow.digest))
    )
    found: dict[int, dict[str, int]] = {}
    for row, digest, size in session.execute(union_all(images, others)):
        found.setdefault(row, {})[digest] = size
    return found


def count_kept(session: Session) -> tuple[int, int]:
    """Return how many files are in the archive by the records, and their bytes."""
    images = select(InstanceRow.digest, InstanceRow.size_bytes).where(~is_gone(InstanceRow.digest))
    others = select(ConflictRow.digest, ConflictRow.size_bytes).where(~is_gone(ConflictRow.digest))
    kept = images.union(others).subquery()
    files, size = session.execute(
        select(func.count(), func.coalesce(func.sum(kept.c.size_bytes), 0)).select_from(kept)
    ).one()
    return files, int(size)
