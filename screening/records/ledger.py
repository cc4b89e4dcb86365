"""The ledger: that every image which came in has a score, has a reason or waits, and none is lost.

What is counted twice, by different hands, must be the same: the listener counts what it answers on
an association, and each instance, score and reason is a row of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Subquery, and_, exists, func, not_, or_, select, true
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.reason import Reason
from screening.records.association import Outcome
from screening.records.calls import open_since
from screening.records.removals import count_removed, is_gone
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import AssociationRow, ConflictRow, InstanceRow, OutboxRow
from screening.records.tally import Tally, tally

# Whether an image in each state has a score, and whether it has a reason.
_SETTLED: Mapping[str, tuple[bool, bool]] = {
    InstanceState.WAITING: (False, False),
    InstanceState.SCORED: (True, False),
    InstanceState.NOT_SCORED: (False, True),
}
# Named in a sentence; there is --instances and SQL for the others.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Answers:
    """How the C-STOREs of some associations were answered: each in one of four ways."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """C-STOREs that were answered at all."""
        return self.stored + self.duplicates + self.conflicts + self.refused


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is counted, at one moment.

    Attributes
    ----------
    since, read_at
        From when, ``None`` for ever, and until when. UTC.
    images
        Those that came since then, by where they stand.
    waiting_earlier
        Images that came before and wait still.
    associations
        How many were open since then, by their outcome.
    answers
        What these associations' C-STOREs were answered.
    removed
        Of how many images the pixels were removed, by the name of the rule: these are among
        ``images``, and have their scores or reasons still.
    stored_earlier
        How many of ``answers.stored`` were before, on an association that was open then.
    discrepancies
        What does not add up, a sentence each. Empty: it adds up.
    """

    since: dt.datetime | None
    read_at: dt.datetime
    images: Tally
    waiting_earlier: int
    associations: Mapping[Outcome, int]
    answers: Answers
    stored_earlier: int
    discrepancies: tuple[str, ...]
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """Whether everything that is counted twice came to the same."""
        return not self.discrepancies

    @property
    def is_complete(self) -> bool:
        """Whether no image waits, whenever it came."""
        return not self.images.waiting and not self.waiting_earlier

    @property
    def failed(self) -> int:
        """Images that failed at every attempt: among those not scored."""
        return self.images.reasons.get(Reason.ERROR, 0)


def read_ledger(session: Session, now: dt.datetime, since: dt.datetime | None = None) -> Ledger:
    """Count everything, and check that it adds up.

    Parameters
    ----------
    session
        A transaction that has not read yet. All is counted in one snapshot of it.
    now
        The present, UTC.
    since
        Only images that came, and associations that were open, at this time or later. UTC.
    """
    _hold_still(session)
    images = tally(session, since)
    associations, answers, kept = _door(session, since)
    return Ledger(
        since=since,
        read_at=now,
        images=images,
        waiting_earlier=_waiting_earlier(session, since),
        associations=associations,
        answers=answers,
        stored_earlier=kept - images.received,
        discrepancies=(
            *_uncounted(images),
            *_contradictions(session, since),
            *_miscounted(session, since),
            *_unannounced(session),
            *_removed_before_their_result(session),
        ),
        removed=count_removed(session, since),
    )


def _hold_still(session: Session) -> None:
    """Let every query of the transaction see one moment.

    On SQLite each transaction does, from its first query. PostgreSQL's default shows each query
    what was committed before it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _received(since: dt.datetime | None) -> ColumnElement[bool]:
    return true() if since is None else InstanceRow.received_at >= since


def _at_work(since: dt.datetime | None) -> ColumnElement[bool]:
    """Return what holds for associations that were open since a moment or brought an image since.

    The second follows from the first, unless a clock was put back.
    """
    if since is None:
        return true()
    brought = select(InstanceRow.association_row).where(_received(since))
    return or_(open_since(since), AssociationRow.id.in_(brought))


def _rows_of(table: type[InstanceRow] | type[ConflictRow]) -> Subquery:
    """Return how many rows of a table came by each association."""
    return (
        select(table.association_row, func.count().label("rows"))
        .group_by(table.association_row)
        .subquery()
    )


def _door(session: Session, since: dt.datetime | None) -> tuple[dict[Outcome, int], Answers, int]:
    """Count associations by outcome, what they were answered, and the instances that they left."""
    rows = _rows_of(InstanceRow)
    counts = (
        AssociationRow.stored,
        AssociationRow.duplicates,
        AssociationRow.conflicts,
        AssociationRow.refused,
        func.coalesce(rows.c.rows, 0),
    )
    found = session.execute(
        select(AssociationRow.outcome, func.count(), *(func.sum(count) for count in counts))
        .outerjoin(rows, rows.c.association_row == AssociationRow.id)
        .where(_at_work(since))
        .group_by(AssociationRow.outcome)
    ).all()
    outcomes = {Outcome(outcome): count for outcome, count, *_ in found}
    *answers, kept = (sum(int(row[column]) for row in found) for column in range(2, 7))
    return outcomes, Answers(*answers), kept


def _waiting_earlier(session: Session, since: dt.datetime | None) -> int:
    if since is None:
        return 0
    waiting = InstanceRow.state == InstanceState.WAITING.value
    query = select(func.count()).select_from(InstanceRow)
    return session.scalar(query.where(waiting, InstanceRow.received_at < since)) or 0


def _uncounted(images: Tally) -> Iterator[str]:
    """Look whether the images are the sum of their parts."""
    parts = images.scored + images.not_scored + images.waiting
    if parts != images.received:
        yield f"{images.received} images were received, and {parts} are scored, not scored or wait"
    reasons = sum(images.reasons.values())
    if reasons != images.not_scored:
        yield f"{images.not_scored} images are not scored, and there are {reasons} reasons"


def _contradictions(session: Session, since: dt.datetime | None) -> Iterator[str]:
    """Look whether each image has what its state says: a score, a reason, or neither.

    What was let wait for another model keeps its older scores.
    """
    keeps = and_(InstanceRow.state != InstanceState.SCORED.value, InstanceRow.rereadings > 0)
    scored = and_(exists().where(ScoreRow.instance_row == InstanceRow.id), not_(keeps))
    excluded = ExclusionRow.instance_row.is_not(None)
    found = session.execute(
        select(InstanceRow.state, scored, excluded, func.count())
        .outerjoin(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
        .where(_received(since))
        .group_by(InstanceRow.state, scored, excluded)
    )
    for state, has_score, has_reason, count in found:
        if _SETTLED.get(state) != (bool(has_score), bool(has_reason)):
            score = "a score" if has_score else "no score"
            reason = "a reason" if has_reason else "no reason"
            yield f"of the images marked as {state}, {count} have {score} and {reason}"


def _miscounted(session: Session, since: dt.datetime | None) -> Iterator[str]:
    """Look whether each association left as many rows as it was told were kept."""
    instances, conflicts = _rows_of(InstanceRow), _rows_of(ConflictRow)
    found = session.scalars(
        select(AssociationRow.id)
        .outerjoin(instances, instances.c.association_row == AssociationRow.id)
        .outerjoin(conflicts, conflicts.c.association_row == AssociationRow.id)
        .where(
            _at_work(since),
            or_(
                func.coalesce(instances.c.rows, 0) != AssociationRow.stored,
                # The same other bytes are answered each time, and kept once.
                func.coalesce(conflicts.c.rows, 0) > AssociationRow.conflicts,
            ),
        )
        .order_by(AssociationRow.id)
    ).all()
    if found:
        named = ", ".join(map(str, found[:_NAMED])) + (", ..." if len(found) > _NAMED else "")
        yield (
            f"{len(found)} associations answered another number of images as kept than there are "
            f"rows that came by them: associations {named}"
        )


def _unannounced(session: Session) -> Iterator[str]:
    """Look whether every image that waits is of a study that is, or was, to be announced."""
    count = session.scalar(
        select(func.count())
        .select_from(InstanceRow)
        .where(
            InstanceRow.state == InstanceState.WAITING.value,
            ~exists().where(OutboxRow.study_row == InstanceRow.study_row),
        )
    )
    if count:
        yield f"{count} images wait, and no worker was or will be told of their studies"


def _removed_before_their_result(session: Session) -> Iterator[str]:
    """Look whether pixels were removed that a worker is still to read."""
    count = session.scalar(
        select(func.count())
        .select_from(InstanceRow)
        .where(InstanceRow.state == InstanceState.WAITING.value, is_gone(InstanceRow.digest))
    )
    if count:
        yield f"{count} images wait whose pixels were removed by a rule"
