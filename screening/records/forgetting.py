"""Pixels go in two steps: it is decided, and then each file is removed.

The decision is committed before a file is touched. From then on nobody opens the file, and whoever
is killed leaves a decision that the next one finishes. The file goes while its row and those of its
studies are held: what came of a study since is seen, and so is the same file coming again.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.domain.counted import counted
from screening.domain.retention import Hindrance, Policy
from screening.records import audit
from screening.records.dialect import insert_for
from screening.records.keeping_schema import RemovalRow
from screening.records.result_schema import HeatmapRow, ScoreRow
from screening.records.retention import Judged, judge, judge_alone, users_of
from screening.records.schema import InstanceRow, StudyRow


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that is not there any more: by which rule, and how large it was."""

    digest: str
    rule: str
    size_bytes: int


def decide(
    session: Session,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    row: int,
    there: Collection[str],
    actor: Actor,
) -> Judged:
    """Decide that the pixels of a study go, if that is so at this moment.

    Parameters
    ----------
    session
        An open transaction that writes.
    places
        Names of the destinations; ``None`` where none are configured.
    row
        Of the study.
    there
        Files of the study that are in the archive, of which it is to be decided: one that is
        missing is not removed on purpose. Asked before the transaction, since others wait for it.
    actor
        Who asked for it, for the audit.

    Returns
    -------
    Judged
        With the files that it was decided of, or with what held them back.
    """
    before = judge(session, policy, places, now, [row])[row]
    _hold(session, users_of(session, before.files.keys()), row)
    study = judge(session, policy, places, now, [row])[row]
    if not study.is_due:
        return study
    files = {digest: size for digest, size in sorted(study.files.items()) if digest in there}
    assert study.rule is not None, "a study without a rule is not due"
    for digest, size in files.items():
        values = {
            "rule": study.rule.name,
            "policy": policy.digest,
            "size_bytes": size,
            "decided_at": now,
            "removed_at": None,
            "returned_at": None,
        }
        session.execute(
            insert_for(session, RemovalRow)
            .values(digest=digest, **values)
            .on_conflict_do_update(
                index_elements=["digest"], set_=values, where=RemovalRow.returned_at.is_not(None)
            )
        )
    if not files:
        return dataclasses.replace(study, hindrances=(Hindrance.MISSING,))
    decided = dataclasses.replace(study, files=files)
    detail = f"{counted(len(files), 'file')}, {decided.size_bytes} bytes by rule {study.rule}"
    audit.note(
        session,
        actor,
        audit.Event.PIXELS_REMOVED,
        now,
        study_instance_uid=study.study_instance_uid,
        detail=f"{detail}; rules {policy.digest[:16]}",
    )
    return decided


def unfinished(session: Session, limit: int, after: str = "") -> list[str]:
    """Return files of which it was decided that they go, and which may be there still, in order."""
    query = select(RemovalRow.digest).where(
        RemovalRow.removed_at.is_(None),
        RemovalRow.returned_at.is_(None),
        RemovalRow.digest > after,
    )
    return list(session.scalars(query.order_by(RemovalRow.digest).limit(limit)))


def finish(
    session: Session,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    digests: Collection[str],
    there: Collection[str],
    remove: Callable[[str], None],
    actor: Actor,
) -> tuple[list[Removed], int]:
    """Remove files of which it was decided, and take the decision back where it holds no more.

    Parameters
    ----------
    session
        An open transaction that writes: a few files at a time, since others wait for it.
    there
        Those that were in the archive just before. One that came since has its row back, or gets
        it once this transaction is over, and finds its bytes: what was away is not touched.
    remove
        Removes a file durably, or raises an error.
    actor
        Who asked for it, for the audit.

    Returns
    -------
    list of Removed, int
        Those that went, and how many stay after all.
    """
    users = users_of(session, digests)
    _hold(session, users)
    studies = judge_alone(session, policy, places, now, _users(users, digests))
    decided = session.scalars(
        select(RemovalRow)
        .where(
            RemovalRow.digest.in_(digests),
            RemovalRow.removed_at.is_(None),
            RemovalRow.returned_at.is_(None),
        )
        .order_by(RemovalRow.digest)
        .with_for_update()
    ).all()
    gone, kept = [], []
    for row in decided:
        if row.digest in there:
            if not all(studies[user].is_due for user in users[row.digest]):
                kept.append(row.digest)
                session.delete(row)
                continue
            remove(row.digest)
        row.removed_at = now
        _blank_heatmaps(session, row.digest)
        gone.append(Removed(row.digest, row.rule, row.size_bytes))
    session.flush()
    _note_kept(session, actor, [studies[user] for user in _users(users, kept)], now)
    return gone, len(kept)


def _users(users: dict[str, set[int]], digests: Collection[str]) -> list[int]:
    return sorted(set().union(*(users[digest] for digest in digests)))


def _note_kept(
    session: Session, actor: Actor, studies: Collection[Judged], now: dt.datetime
) -> None:
    for study in studies:
        audit.note(
            session,
            actor,
            audit.Event.PIXELS_KEPT,
            now,
            study_instance_uid=study.study_instance_uid,
            detail="decided before, and kept: something has come of the study since",
        )


def _hold(session: Session, users: dict[str, set[int]], *rows: int) -> None:
    """Let nobody change studies until the end of the transaction: always in the same order."""
    wanted = set(rows).union(*users.values())
    session.execute(
        select(StudyRow.id).where(StudyRow.id.in_(wanted)).order_by(StudyRow.id).with_for_update()
    )


def _blank_heatmaps(session: Session, digest: str) -> None:
    """Forget the pictures drawn over an image; where its heat lay is on record in figures."""
    scores = (
        select(ScoreRow.id)
        .join(InstanceRow, InstanceRow.id == ScoreRow.instance_row)
        .where(InstanceRow.digest == digest)
    )
    session.execute(update(HeatmapRow).where(HeatmapRow.score_row.in_(scores)).values(picture=b""))
