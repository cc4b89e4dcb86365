"""An archive and records with studies in them, and a pipeline over both."""

from __future__ import annotations

import atexit
import datetime as dt

from pydicom.dataset import Dataset
from sqlalchemy.orm import Session

import migrations
from models.classifier import Classifier
from models.input_settings import InputSettings
from models.screener import Screener
from phantoms.study import save
from screening.archive.folder_archive import FolderArchive
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.domain.precision import Precision
from screening.records.association import Caller, open_association
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.intake import take_in
from screening.settings import Settings
from worker.pipeline import Pipeline
from worker.readers import Readers
from worker.shadow import Shadow


class Room:
    """An archive and records with a study in them, and a pipeline over both."""

    def __init__(self, settings: Settings, classifier: Classifier) -> None:
        self.settings = settings
        self.records = Records(settings.records_url)
        migrations.upgrade(self.records)
        self.archive = FolderArchive(settings.archive_dir)
        self.classifier = classifier

    def receive(self, *datasets: Dataset) -> int:
        """File data sets as the listener would, and return the study's row."""
        with self.records.begin() as session:
            caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1")
            association = open_association(session, caller, now())
        for ds in datasets:
            with self.records.begin() as session:
                study = file_data_set(session, self.archive, ds, association)
        return study

    def pipeline(
        self,
        classifier: Classifier | None = None,
        shadow: Shadow | None = None,
        *,
        settings: Settings | None = None,
        worker: str = "test",
    ) -> Pipeline:
        settings = settings or self.settings
        scorer = classifier or self.classifier
        return Pipeline(
            settings,
            self.records,
            self.archive,
            Screener(scorer, Precision.FLOAT32),
            readers_for(settings, scorer.input, *([shadow.input] if shadow else [])),
            worker,
            shadow,
        )

    def dossier(self, ds: Dataset) -> Dossier:
        with self.records.read() as session:
            dossier = open_dossier(session, str(ds.StudyInstanceUID))
        assert dossier is not None
        return dossier


def file_data_set(
    session: Session,
    archive: FolderArchive,
    ds: Dataset,
    association: int,
    at: dt.datetime | None = None,
) -> int:
    """Keep a data set and file its row in an open transaction; return the study's row."""
    arrived = archive.incoming / "arrived.dcm"
    save(ds, arrived)
    header, offset = read_header(arrived), data_set_offset(arrived)
    content = memoryview(arrived.read_bytes())
    arrived.unlink()
    file = archive.receive(bytes(content[:offset]), header.transfer_syntax_uid)
    file.write(content[offset:])
    return take_in(
        session.connection(),
        header,
        archive.keep(file),
        association_row=association,
        now=at or now(),
        announce_at=at or now(),
        calling_ae_title="PACS",
    ).study_row


_READERS: dict[object, Readers] = {}


def readers_for(settings: Settings, *inputs: InputSettings) -> Readers:
    """Return a reader that tests share: it takes seconds to start one."""
    key = (settings.read_seconds, settings.read_gigabytes, settings.minimum_age_years, inputs)
    if key not in _READERS:
        _READERS[key] = Readers(settings, inputs)
        atexit.register(_READERS[key].close)
    return _READERS[key]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
