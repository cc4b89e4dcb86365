"""Reviews: what radiologists said of studies and images, each kept beside those before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from screening.domain.account import User
from screening.domain.review import LONGEST_NOTE, Finding, Opinion, Review, contradicts
from screening.domain.verdict import FLAGGED, SCORED, Verdict
from screening.errors import ContradictionError, ReviewError, RevisedError
from screening.records.changes import note_change
from screening.records.desk_schema import ReviewRow, UserRow
from screening.records.schema import InstanceRow, StudyRow


def add_review(
    session: Session,
    study_instance_uid: str,
    reviewer: User,
    opinion: Opinion,
    now: dt.datetime,
    *,
    finding: Finding | None = None,
    note: str = "",
    sop_instance_uid: str | None = None,
    revision: int | None = None,
) -> Review:
    """Record what a reviewer says of a study, or of one of its images.

    Parameters
    ----------
    session
        An open transaction that writes.
    opinion
        Whether they share the verdict that stands at present.
    finding, note
        What they see, and in their own words.
    sop_instance_uid
        Of the image that is meant; ``None`` for the study.
    revision
        Of the verdict that the reviewer saw; ``None`` for that which stands.

    Raises
    ------
    ReviewError
        If there is no such study or image in it, or the note is too long.
    ContradictionError
        If what is seen says the contrary of the opinion.
    RevisedError
        If the verdict was revised since.
    """
    if len(note) > LONGEST_NOTE:
        raise ReviewError(f"a note has at most {LONGEST_NOTE} characters, not {len(note)}")
    study = _study(session, study_instance_uid)
    if revision is not None and revision != study.revision:
        raise RevisedError("the verdict was revised since this page was loaded: look once more")
    image = _image(session, study, sop_instance_uid) if sop_instance_uid else None
    verdict = Verdict(study.verdict)
    is_flagged = verdict in FLAGGED
    if image is None and verdict in SCORED and contradicts(opinion, finding, is_flagged=is_flagged):
        raise ContradictionError(
            f"{opinion.value} with {verdict.value} and {(finding or '').replace('_', ' ')} cannot "
            "both be meant: choose again"
        )
    row = ReviewRow(
        study_row=study.id,
        instance_row=image,
        user_row=reviewer.row,
        opinion=opinion.value,
        finding=finding.value if finding else None,
        note=note,
        verdict=study.verdict,
        revision=study.revision,
        at=now,
    )
    session.add(row)
    session.flush()
    _settle(session, study.id, now)
    return _review(row, reviewer.name, sop_instance_uid)


def take_back(
    session: Session, study_instance_uid: str, reviewer: User, now: dt.datetime
) -> Review:
    """Take back a reviewer's newest standing review of a study; what they said stays on record.

    Raises
    ------
    ReviewError
        If there is no such study, or nothing of theirs to take back.
    """
    study = _study(session, study_instance_uid)
    standing = _standing(session, study.id, reviewer.row)
    if not standing:
        raise ReviewError("there is no review of yours to take back")
    last = standing[-1]
    row = ReviewRow(
        study_row=study.id,
        instance_row=last.instance_row,
        user_row=reviewer.row,
        opinion=None,
        finding=None,
        note="",
        verdict=study.verdict,
        revision=study.revision,
        at=now,
    )
    session.add(row)
    session.flush()
    _settle(session, study.id, now)
    return _review(row, reviewer.name, None)


def reviews_of(session: Session, study_instance_uid: str) -> tuple[Review, ...]:
    """Return every review of a study and what was taken back, in the order in which they came."""
    found = session.execute(
        select(ReviewRow, UserRow.name, InstanceRow.sop_instance_uid)
        .join(StudyRow, StudyRow.id == ReviewRow.study_row)
        .join(UserRow, UserRow.id == ReviewRow.user_row)
        .outerjoin(InstanceRow, InstanceRow.id == ReviewRow.instance_row)
        .where(StudyRow.study_instance_uid == study_instance_uid)
        .order_by(ReviewRow.id)
    )
    return tuple(_review(row, name, image) for row, name, image in found)


def standing_reviews(session: Session, study_instance_uid: str) -> tuple[Review, ...]:
    """Return the reviews of a study and its images that were not taken back, the newest last."""
    kept = standing_numbers(session, study_instance_uid)
    return tuple(each for each in reviews_of(session, study_instance_uid) if each.number in kept)


def standing_numbers(session: Session, study_instance_uid: str) -> frozenset[int]:
    """Return the numbers of the reviews of a study that were not taken back."""
    row = session.scalar(
        select(StudyRow.id).where(StudyRow.study_instance_uid == study_instance_uid)
    )
    return (
        frozenset(each.id for each in _standing(session, row)) if row is not None else frozenset()
    )


def _study(session: Session, study_instance_uid: str) -> StudyRow:
    """Return a study, locked: two who review it at once do so one after the other."""
    found = session.scalars(
        select(StudyRow).where(StudyRow.study_instance_uid == study_instance_uid).with_for_update()
    ).one_or_none()
    if found is None:
        raise ReviewError("no image of this study was received")
    return found


def _image(session: Session, study: StudyRow, sop_instance_uid: str) -> int:
    found = session.scalar(
        select(InstanceRow.id).where(
            InstanceRow.sop_instance_uid == sop_instance_uid, InstanceRow.study_row == study.id
        )
    )
    if found is None:
        raise ReviewError("the study has no such image")
    return found


def _standing(session: Session, study_row: int, user_row: int | None = None) -> list[ReviewRow]:
    """Return the reviews of a study that were not taken back, in the order in which they came."""
    query = select(ReviewRow).where(ReviewRow.study_row == study_row).order_by(ReviewRow.id)
    if user_row is not None:
        query = query.where(ReviewRow.user_row == user_row)
    return standing(session.scalars(query).all())


def standing(rows: Sequence[ReviewRow]) -> list[ReviewRow]:
    """Return the reviews that were not taken back: each withdrawal takes its user's last one."""
    kept: list[ReviewRow] = []
    for row in rows:
        if row.opinion is not None:
            kept.append(row)
            continue
        theirs = [each for each in kept if each.user_row == row.user_row]
        if theirs:
            kept.remove(theirs[-1])
    return kept


def _settle(session: Session, study_row: int, now: dt.datetime) -> None:
    """Write the newest standing opinion on the whole study to its line of the list."""
    note_change(session, study_row, now)
    of_study = [row for row in _standing(session, study_row) if row.instance_row is None]
    opinion = of_study[-1].opinion if of_study else None
    session.execute(update(StudyRow).where(StudyRow.id == study_row).values(review=opinion))


def _review(row: ReviewRow, reviewer: str, sop_instance_uid: str | None) -> Review:
    return Review(
        number=row.id,
        opinion=Opinion(row.opinion) if row.opinion else None,
        finding=Finding(row.finding) if row.finding else None,
        note=row.note,
        sop_instance_uid=sop_instance_uid,
        verdict=row.verdict,
        revision=row.revision,
        reviewer=reviewer,
        at=row.at,
    )
