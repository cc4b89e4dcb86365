"""A desk for the tests: its application in this process, or served to a browser."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from conftest import free_port, wait_until
from fastapi.testclient import TestClient
from pydicom import Dataset
from reading_room import file_data_set
from sqlalchemy import select
from sqlalchemy.orm import Session

import migrations
from screening.archive.folder_archive import FolderArchive
from screening.archive.free_space import LowDisk
from screening.domain.account import Role, User
from screening.domain.observation import KeptHeatmap, Observation
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.quality import Quality
from screening.domain.reason import Exclusion
from screening.domain.verdict import OperatingPoints
from screening.records import sign_in, tokens, users
from screening.records.association import Caller, open_association
from screening.records.engine import Records
from screening.records.located import locate_image
from screening.records.results import Scorer, record_results
from screening.records.schema import InstanceRow
from screening.settings import Settings
from worklist.app import make_app
from worklist.connection import Connection
from worklist.desk import Desk
from worklist.frames import Frames
from worklist.openid import SignInService
from worklist.password import make_hash

PASSWORD = "a long enough password"
SCORER = Scorer(ModelIdentity("mobilenet_v2", "0.2.0", "b" * 64), OperatingPoints(0.2, 0.6))
QUALITY = Quality(0.1, 0.0, 0.8, 0.9, 400)


@dataclass
class TestDesk:
    """Records, an archive and the application over them, with a clock that can be set."""

    settings: Settings
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    sign_in_service: SignInService | None = None

    __test__ = False

    def __post_init__(self) -> None:
        self.records = Records(self.settings.records_url)
        migrations.upgrade(self.records)
        self.archive = FolderArchive(self.settings.archive_dir)
        self.frames = Frames(20.0, 2_000_000_000)
        desk = Desk(
            self.settings,
            self.records,
            self.archive,
            self.frames,
            LowDisk(self.settings.archive_dir, self.settings.low_free_bytes),
            lambda: self.now,
            sign_in_service=self.sign_in_service,
        )
        self.app = make_app(desk)

    def close(self) -> None:
        self.frames.close()
        self.records.close()

    def client(self, **options: object) -> TestClient:
        return TestClient(self.app, follow_redirects=False, **options)  # type: ignore[arg-type]

    def add_user(self, name: str, role: Role = Role.RADIOLOGIST) -> User:
        with self.records.begin() as session:
            return users.add_user(session, name, role, make_hash(PASSWORD), self.now)

    def signed_in(self, name: str, role: Role = Role.RADIOLOGIST, **options: object) -> TestClient:
        """Return a browser of somebody who has signed in with a password."""
        self.add_user(name, role)
        client = self.client(**options)
        answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        client.headers["X-Form-Secret"] = self.form_secret(client)
        return client

    def form_secret(self, client: TestClient) -> str:
        page = client.get("/").text
        return page.partition('data-form-secret="')[2].partition('"')[0]

    def machine(self, role: Role = Role.VIEWER, name: str = "machine") -> TestClient:
        with self.records.begin() as session:
            secret = tokens.add_token(session, name, role, self.now, None)
        client = self.client()
        client.headers["Authorization"] = f"Bearer {secret}"
        return client

    def link(self, user: User) -> str:
        with self.records.begin() as session:
            return sign_in.make_link(session, user, self.now, dt.timedelta(minutes=5))

    def file(
        self,
        ds: Dataset,
        result: Prediction | Exclusion | None,
        heatmap: bytes | None = None,
        scorer: Scorer = SCORER,
    ) -> str:
        """File an image with its result, and return its study's UID."""
        with self.records.begin() as session:
            caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1")
            association = open_association(session, caller, self.now)
            study = file_data_set(session, self.archive, ds, association, self.now)
            if result is not None:
                self._score(session, study, ds, result, heatmap, scorer)
        return str(ds.StudyInstanceUID)

    def score(self, ds: Dataset, result: Prediction | Exclusion) -> None:
        """Give an image that waits its result."""
        with self.records.begin() as session:
            study = session.scalar(
                select(InstanceRow.study_row).where(
                    InstanceRow.sop_instance_uid == str(ds.SOPInstanceUID)
                )
            )
            assert study is not None
            self._score(session, study, ds, result, None, SCORER)

    def _score(
        self,
        session: Session,
        study: int,
        ds: Dataset,
        result: Prediction | Exclusion,
        heatmap: bytes | None,
        scorer: Scorer,
    ) -> None:
        row = session.scalar(
            select(InstanceRow.id).where(InstanceRow.sop_instance_uid == str(ds.SOPInstanceUID))
        )
        assert row is not None
        kept = KeptHeatmap(heatmap, 0.1) if heatmap else None
        seen = {row: Observation(QUALITY, 0.0, kept)}
        record_results(session, study, {row: result}, scorer, self.now, seen)

    def path_of(self, sop_instance_uid: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
        with self.records.read() as session:
            image = locate_image(session, sop_instance_uid)
        assert image is not None
        return self.archive.path(image.digest)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve it on loopback and yield its address."""
        port = free_port()
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=port, log_config=None, ws="none", http=Connection
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started, 20, "the desk serves")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
