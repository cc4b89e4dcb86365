"""A batch in numbers: what became of the images of its studies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, exists, func, literal, select, update
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import SETTLED, BatchState, FetchState
from screening.domain.verdict import Verdict
from screening.records.night_batches import Batch
from screening.records.night_schema import BatchFileRow, BatchRow, BatchStudyRow
from screening.records.night_studies import count_studies
from screening.records.result_schema import ExclusionRow
from screening.records.schema import InstanceRow, StudyRow


@dataclass(frozen=True, slots=True)
class BatchTally:
    """All of a batch at one moment; it adds up.

    Attributes
    ----------
    studies
        How many stand where.
    expected, here, missing
        Images that the PACS has, of studies that it has been asked about; the sum of the other two.
    received, scored, not_scored, waiting
        Images that are here of these studies, of whatever series: the sum of the other three.
    reasons
        How many were not scored for each reason.
    verdicts
        How many studies that are here have each verdict.
    lost
        Of a folder's files, those that brought nothing in and may hold an image all the same.
    """

    studies: Mapping[FetchState, int]
    expected: int
    here: int
    received: int
    scored: int
    not_scored: int
    reasons: Mapping[str, int]
    verdicts: Mapping[Verdict, int]
    lost: int

    @property
    def missing(self) -> int:
        """Images that the PACS has and we have not."""
        return self.expected - self.here

    @property
    def waiting(self) -> int:
        """Images that are here and have neither score nor reason."""
        return self.received - self.scored - self.not_scored

    @property
    def planned(self) -> int:
        """Studies of the batch."""
        return sum(self.studies.values())

    @property
    def wanted(self) -> int:
        """Studies that have, or may have, an image of the kind that was asked for."""
        return self.planned - self.studies.get(FetchState.NONE, 0)

    @property
    def settled(self) -> int:
        """Studies that nobody fetches any more."""
        return sum(count for state, count in self.studies.items() if state in SETTLED)

    @property
    def failed(self) -> int:
        """Studies that nobody fetches any more, and of which something is not here."""
        return self.studies.get(FetchState.FAILED, 0)


def is_complete(batch: Batch, tally: BatchTally) -> bool:
    """Say whether a batch has ended with every image here, and none of them waiting."""
    return (
        batch.state is BatchState.FINISHED
        and tally.settled == tally.planned
        and not (tally.failed or tally.missing or tally.waiting or tally.lost)
    )


def tally_batch(session: Session, batch_row: int) -> BatchTally:
    """Count a batch."""
    of_batch = and_(
        BatchStudyRow.batch_row == batch_row, BatchStudyRow.state != FetchState.NONE.value
    )
    expected, here = session.execute(
        select(
            func.sum(BatchStudyRow.expected),
            func.sum(BatchStudyRow.here),
        ).where(of_batch)
    ).one()
    received, scored, not_scored = session.execute(
        select(
            func.coalesce(func.sum(StudyRow.images_received), 0),
            func.coalesce(func.sum(StudyRow.images_scored), 0),
            func.coalesce(func.sum(StudyRow.images_not_scored), 0),
        )
        .join(BatchStudyRow, BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid)
        .where(of_batch)
    ).one()
    reasons = session.execute(
        select(ExclusionRow.reason, func.count())
        .join(InstanceRow, InstanceRow.id == ExclusionRow.instance_row)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .join(BatchStudyRow, BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid)
        .where(of_batch, InstanceRow.state == InstanceState.NOT_SCORED.value)
        .group_by(ExclusionRow.reason)
    )
    verdicts = session.execute(
        select(StudyRow.verdict, func.count())
        .join(BatchStudyRow, BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid)
        .where(of_batch)
        .group_by(StudyRow.verdict)
    )
    lost = select(func.count()).where(BatchFileRow.batch_row == batch_row, BatchFileRow.lost)
    return BatchTally(
        studies=count_studies(session, batch_row),
        expected=expected or 0,
        here=here or 0,
        received=received,
        scored=scored,
        not_scored=not_scored,
        reasons=dict(reasons.all()),
        verdicts={Verdict(verdict): count for verdict, count in verdicts},
        lost=session.scalar(lost) or 0,
    )


def studies_waiting(session: Session, batch_row: int) -> int:
    """Return how many studies of a batch are here and have images that wait."""
    # From what waits, which is little: a batch may be all that there is. Written out: with a
    # parameter SQLite cannot know that the index of what waits will do.
    waits = InstanceRow.state == literal(InstanceState.WAITING.value, literal_execute=True)
    query = (
        select(func.count(InstanceRow.study_row.distinct()))
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .join(BatchStudyRow, BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid)
        .where(
            waits,
            BatchStudyRow.batch_row == batch_row,
            BatchStudyRow.state != FetchState.NONE.value,
        )
    )
    return session.scalar(query) or 0


def stat_images_wait(session: Session) -> bool:
    """Say whether images wait that somebody may be waiting for: stat, and of no batch at work."""
    in_batch = exists(
        select(BatchStudyRow.id)
        .join(BatchRow, BatchRow.id == BatchStudyRow.batch_row)
        .where(
            BatchStudyRow.study_instance_uid == StudyRow.study_instance_uid,
            BatchRow.state == BatchState.RUNNING.value,
        )
    )
    query = (
        select(InstanceRow.id)
        .join(StudyRow, StudyRow.id == InstanceRow.study_row)
        .where(
            InstanceRow.state == InstanceState.WAITING.value,
            InstanceRow.lane == Lane.STAT.value,
            ~in_batch,
        )
        .limit(1)
    )
    return session.scalar(query) is not None


def put_back_images(session: Session, sop_instance_uids: Collection[str]) -> None:
    """Have images be backlog, and what waits of them wait behind what is stat."""
    overnight = Lane.OVERNIGHT.value
    studies = set(
        session.scalars(
            update(InstanceRow)
            .where(
                InstanceRow.sop_instance_uid.in_(sop_instance_uids), InstanceRow.lane < overnight
            )
            .values(lane=overnight)
            .returning(InstanceRow.study_row)
        )
    )
    urgent = exists().where(InstanceRow.study_row == StudyRow.id, InstanceRow.lane < overnight)
    session.execute(
        update(StudyRow).where(StudyRow.id.in_(studies), ~urgent).values(lane=overnight)
    )
