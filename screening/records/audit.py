"""The audit: who looked at what and who changed what, in a chain that shows what was altered.

Each row's digest covers its content and the digest of the row before. The database refuses to
change or to delete one; who goes around that breaks the chain, and `verify` says where. Rows that
are cut off at the end leave a whole chain: keep its last digest elsewhere, and compare.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from screening.domain.account import Actor
from screening.records.desk_schema import AuditRow

BEGINNING = "0" * 64
"""What the first row's digest follows."""

# Any number will do that no other lock has.
_LOCK = 0x4155444954


class Event(StrEnum):
    """What is recorded."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    LISTED = "listed"
    EXPORTED = "exported"
    OPENED = "opened"
    IMAGE_SHOWN = "image_shown"
    REVIEWED = "reviewed"
    REVIEW_TAKEN_BACK = "review_taken_back"
    REFUSED = "refused"
    USER_CHANGED = "user_changed"
    TOKEN_CHANGED = "token_changed"  # noqa: S105 - the event's name
    POINTS_SET = "points_set"
    MODEL_PROMOTED = "model_promoted"
    MODEL_ROLLED_BACK = "model_rolled_back"
    SHADOW_APPOINTED = "shadow_appointed"
    AUDIT_READ = "audit_read"
    PIXELS_REMOVED = "pixels_removed"
    PIXELS_KEPT = "pixels_kept"
    RETENTION_RUN = "retention_run"
    HELD = "held"
    RELEASED = "released"
    DEIDENTIFIED = "deidentified"
    PATIENTS_MERGED = "patients_merged"
    IDENTITY_ADOPTED = "identity_adopted"
    IDENTITY_UNDONE = "identity_undone"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit."""

    number: int
    at: dt.datetime
    actor: str
    address: str
    event: str
    study_instance_uid: str | None
    detail: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChainState:
    """What verifying the chain found.

    Attributes
    ----------
    entries
        How many there are.
    digest
        Of the last.
    broken_at
        Number of the first that does not follow from the one before; ``None`` if all do.
    """

    entries: int
    digest: str
    broken_at: int | None

    @property
    def is_whole(self) -> bool:
        """Whether each entry follows from the one before."""
        return self.broken_at is None


def note(
    session: Session,
    actor: Actor,
    event: Event,
    now: dt.datetime,
    *,
    study_instance_uid: str | None = None,
    detail: str = "",
) -> None:
    """Append an entry, in an open transaction that writes.

    Parameters
    ----------
    actor
        Who did it.
    event
        What.
    now
        When, UTC.
    study_instance_uid
        Of the study that it concerns.
    detail
        In words; no patient data but what the actor typed.
    """
    if session.get_bind().dialect.name == "postgresql":
        # One after the other: the next must follow the last. SQLite has one writer anyway.
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = session.scalar(select(AuditRow.digest).order_by(AuditRow.id.desc()).limit(1))
    row = AuditRow(
        at=now,
        actor=actor.name,
        address=actor.address,
        event=event.value,
        study_instance_uid=study_instance_uid,
        detail=detail,
    )
    row.digest = _digest(last or BEGINNING, row)
    session.add(row)
    session.flush()


def _follows(before: str, row: AuditRow) -> bool:
    try:
        return _digest(before, row) == row.digest
    except (TypeError, ValueError, AttributeError):  # something that we never write
        return False


def _digest(before: str, row: AuditRow) -> str:
    content = [
        before,
        row.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
        row.actor,
        row.address,
        row.event,
        row.study_instance_uid,
        row.detail,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_audit(
    session: Session,
    *,
    limit: int = 200,
    before: int | None = None,
    study_instance_uid: str | None = None,
) -> list[AuditEntry]:
    """Return entries, the newest first.

    Parameters
    ----------
    limit
        At most so many.
    before
        Only those with a smaller number.
    study_instance_uid
        Only those that concern this study.
    """
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.id < before)
    if study_instance_uid is not None:
        query = query.where(AuditRow.study_instance_uid == study_instance_uid)
    return [_entry(row) for row in session.scalars(query)]


def read_onwards(session: Session, after: int, limit: int) -> list[AuditEntry]:
    """Return entries in the order in which they were made.

    Parameters
    ----------
    after
        Only those with a greater number: they are numbered one after the other, so that none that
        is committed later comes before one that was read.
    limit
        At most so many.
    """
    query = select(AuditRow).where(AuditRow.id > after).order_by(AuditRow.id).limit(limit)
    return [_entry(row) for row in session.scalars(query)]


def verify(session: Session) -> ChainState:
    """Follow the chain from its first entry to its last."""
    digest, entries = BEGINNING, 0
    with closing(_rows(session)) as rows:
        for row in rows:
            entries += 1
            if not _follows(digest, row):
                return ChainState(entries, row.digest, row.id)
            digest = row.digest
    return ChainState(entries, digest, None)


def holds(session: Session, digest: str) -> bool:
    """Say whether an entry with this digest is there, or it is that of the empty audit."""
    found = select(AuditRow.id).where(AuditRow.digest == digest).limit(1)
    return digest == BEGINNING or session.scalar(found) is not None


def _rows(session: Session) -> Generator[AuditRow, None, None]:
    found = session.scalars(select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=500))
    try:
        for row in found:
            yield row
            session.expunge(row)
    finally:
        found.close()


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        number=row.id,
        at=row.at,
        actor=row.actor,
        address=row.address,
        event=row.event,
        study_instance_uid=row.study_instance_uid,
        detail=row.detail,
        digest=row.digest,
    )
