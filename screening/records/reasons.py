"""For which reasons images of a study have no score, kept for the list to be asked for them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from screening.records.list_schema import StudyReasonRow
from screening.records.result_schema import ExclusionRow
from screening.records.schema import InstanceRow, StudyRow


def settle_reasons(connection: Connection, study_row: int) -> None:
    """Write a study's reasons anew, at its present place in the list; mostly it has none."""
    connection.execute(delete(StudyReasonRow).where(StudyReasonRow.study_row == study_row))
    connection.execute(
        insert(StudyReasonRow).from_select(
            ["study_row", "reason", "place"],
            select(StudyRow.id, ExclusionRow.reason, StudyRow.place)
            .join(InstanceRow, InstanceRow.study_row == StudyRow.id)
            .join(ExclusionRow, ExclusionRow.instance_row == InstanceRow.id)
            .where(StudyRow.id == study_row)
            .distinct(),
        )
    )
