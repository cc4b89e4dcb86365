"""Images that have come in, without a listener: for what is measured behind the door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

from phantoms.study import save
from screening.archive.archive import Archive
from screening.dicom.header import read_header
from screening.dicom.part10 import data_set_offset
from screening.records.association import Caller, open_association
from screening.records.engine import Records
from screening.records.intake import take_in


def copies(source: Path, folder: Path, count: int) -> list[Path]:
    """Write a study of `count` images of the same pixels, each with a UID of its own."""
    ds = pydicom.dcmread(source)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(None), generate_uid(None)
    paths = []
    for number in range(count):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(None)
        paths.append(folder / f"{ds.StudyInstanceUID}.{number}.dcm")
        save(ds, paths[-1])
    return paths


def take_in_study(
    records: Records,
    archive: Archive,
    paths: Sequence[Path],
    *,
    announce_in: dt.timedelta = dt.timedelta(0),
) -> int:
    """Keep and record a study as the listener would, and return its row."""
    now = dt.datetime.now(dt.UTC)
    with records.begin() as session:
        caller = Caller("BENCHMARK", "NIGHTREAD", "127.0.0.1", "here:1")
        association = open_association(session, caller, now)
        for path in paths:
            header, offset = read_header(path), data_set_offset(path)
            content = memoryview(path.read_bytes())
            file = archive.receive(bytes(content[:offset]), header.transfer_syntax_uid)
            file.write(content[offset:])
            study = take_in(
                session.connection(),
                header,
                archive.keep(file),
                association_row=association,
                now=now,
                announce_at=now + announce_in,
            ).study_row
    return study
