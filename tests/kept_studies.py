"""Studies with files behind them, rules over them, and what is left of both."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from filed_cases import NOW, file_study
from sqlalchemy import select

from night.retention_outlook import Outlook, look_ahead
from night.retention_run import Gone, RetentionRun
from screening.archive.archive import Archive
from screening.domain.account import Actor, Role
from screening.domain.observation import KeptHeatmap
from screening.domain.retention import Policy, Rule
from screening.domain.review import Opinion
from screening.domain.verdict import Verdict
from screening.records.engine import Records
from screening.records.removals import removals_of
from screening.records.result_schema import HeatmapRow, ScoreRow
from screening.records.results import Result
from screening.records.schema import InstanceRow, StudyRow

ADMIN = Actor("console:admin", Role.ADMIN, "console")
CLEAR = Rule("clear", 30, frozenset({Verdict.CLEAR}))
FLAGGED = Rule("flagged", 300, frozenset({Verdict.SUSPECTED, Verdict.DOUBTFUL}))
DISPUTED = Rule("disputed", None, frozenset(), frozenset({Opinion.DISAGREE}))
POLICY = Policy((CLEAR, FLAGGED, DISPUTED), "d" * 64)
LATER = NOW + dt.timedelta(days=31)


def digest_of(uid: str, number: int = 1) -> str:
    """Return the digest under which `filed_cases.file_study` files an image."""
    return hashlib.sha256(f"{uid}.{number}".encode()).hexdigest()


@dataclass
class Shelf:
    """Records and an archive, and runs over them."""

    records: Records
    archive: Archive
    policy: Policy = POLICY
    places: list[str] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    due: set[str] = field(default_factory=set)

    def file(
        self, uid: str, *results: Result | None, now: dt.datetime = NOW, **elements: object
    ) -> None:
        """File a study with a file behind each image."""
        file_study(self.records, uid, *results, now=now, **elements)
        for number in range(1, len(results) + 1):
            self.write(digest_of(uid, number))

    def write(self, digest: str) -> None:
        self.archive.path(digest).write_bytes(b"x" * 1000)

    def has(self, uid: str, number: int = 1) -> bool:
        return self.archive.path(digest_of(uid, number)).exists()

    def files(self) -> set[str]:
        return {file.digest for page in self.archive.kept_files(0) for file in page}

    def gone(self) -> set[str]:
        """Return the digests that the records call removed."""
        with self.records.read() as session:
            digests = session.scalars(select(InstanceRow.digest)).all()
            return set(removals_of(session, digests))

    def run(
        self,
        now: dt.datetime = LATER,
        policy: Policy | None = None,
        *,
        enough: Callable[[], bool] | None = None,
    ) -> Gone:
        return RetentionRun(
            self.records,
            self.archive,
            policy or self.policy,
            self.places,
            ADMIN,
            self.stopped,
            now=lambda: now,
        ).run(enough)

    def look(self, now: dt.datetime = LATER) -> Outlook:
        return look_ahead(self.records, self.policy, self.places, now)

    def row(self, uid: str) -> int:
        with self.records.read() as session:
            query = select(StudyRow.id).where(StudyRow.study_instance_uid == uid)
            return session.scalars(query).one()

    def add_heatmap(self, uid: str) -> None:
        with self.records.begin() as session:
            score = session.scalars(
                select(ScoreRow.id)
                .join(InstanceRow, InstanceRow.id == ScoreRow.instance_row)
                .where(InstanceRow.sop_instance_uid == f"{uid}.1")
            ).one()
            heat = KeptHeatmap(b"png", 0.7)
            session.add(
                HeatmapRow(score_row=score, picture=heat.picture, outside_share=heat.outside_share)
            )
