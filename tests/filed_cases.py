"""Studies filed in records without files behind them, for the tests of lists."""

from __future__ import annotations

import datetime as dt
import hashlib

from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.records.association import Caller, open_association
from screening.records.engine import Records
from screening.records.intake import take_in
from screening.records.results import Result, Scorer, record_results

NOW = dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC)
SCORER = Scorer(ModelIdentity("mobilenet_v2", "0.1.0", "a" * 64), OperatingPoints(0.2, 0.6))


def file_study(
    records: Records,
    uid: str,
    *results: Result | None,
    now: dt.datetime = NOW,
    scorer: Scorer = SCORER,
    **elements: object,
) -> None:
    """File a study with one image per result; ``None`` leaves its image waiting."""
    found: dict[int, Result] = {}
    with records.begin() as session:
        caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:11112")
        association = open_association(session, caller, now)
        for number, result in enumerate(results, 1):
            header = InstanceHeader(
                f"{uid}.{number}",
                "1.2.840.10008.5.1.4.1.1.1.1",
                uid,
                "1.2.840.10008.1.2.1",
                instance_number=number,
                **elements,  # type: ignore[arg-type]
            )
            digest = hashlib.sha256(header.sop_instance_uid.encode()).hexdigest()
            intake = take_in(
                session.connection(),
                header,
                KeptFile(digest, 1000),
                association_row=association,
                now=now,
                announce_at=now,
                calling_ae_title="PACS",
            )
            row = _row(session, header.sop_instance_uid)
            if result is not None:
                found[row] = result
        if found:
            record_results(session, intake.study_row, found, scorer, now)


def _row(session: object, uid: str) -> int:
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from screening.records.schema import InstanceRow

    assert isinstance(session, Session)
    row: int = session.scalars(
        select(InstanceRow.id).where(InstanceRow.sop_instance_uid == uid)
    ).one()
    return row
