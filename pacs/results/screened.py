"""A study that was screened: what the records hold of it, beside the headers of its images."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from screening.archive.archive import Archive
from screening.domain.prediction import ModelIdentity
from screening.domain.reason import Reason
from screening.domain.retention import Removal
from screening.domain.review import Review
from screening.domain.verdict import FLAGGED, Verdict, weight
from screening.errors import ArchiveError
from screening.records.dossier import Dossier, Image, Score
from screening.records.surviving import Reidentified

# What an object needs of an image to refer to it. Absent is as good as empty.
_NEEDED = {
    "Modality": "OT",
    "PatientID": "",
    "PatientName": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "AccessionNumber": "",
    "StudyID": "",
    "StudyDate": "",
    "StudyTime": "",
    "SamplesPerPixel": 1,
}


@dataclass(frozen=True, slots=True)
class ScreenedImage:
    """An image, its newest score, and its header.

    Attributes
    ----------
    study_instance_uid
        Of its study.
    record
        What the records hold.
    header
        As its file has it, without pixels; empty where it is not in the archive any more.
    path
        Of its file; ``None`` where it is not in the archive any more.
    """

    study_instance_uid: str
    record: Image
    header: Dataset
    path: Path | None

    @property
    def score(self) -> Score | None:
        """Its newest score; ``None`` where it was not scored."""
        return self.record.score

    @property
    def is_flagged(self) -> bool:
        """Whether it is suspected or doubtful."""
        return self.score is not None and self.score.verdict in FLAGGED

    @property
    def is_image(self) -> bool:
        """Whether a report can refer to it as an image: it has rows, columns and a series."""
        return bool(self.record.rows and self.record.columns and self.has_series)

    @property
    def has_series(self) -> bool:
        """Whether anything can refer to it."""
        return bool(self.record.series_instance_uid)

    def reference(self) -> Dataset:
        """Return what our objects name it by: identifiers and size, no patient."""
        found = Dataset()
        for name, default in _NEEDED.items():
            setattr(found, name, default)
        record = self.record
        found.StudyInstanceUID = self.study_instance_uid
        found.SeriesInstanceUID = record.series_instance_uid
        found.SOPInstanceUID = record.sop_instance_uid
        found.SOPClassUID = record.sop_class_uid
        found.Rows, found.Columns = record.rows or 0, record.columns or 0
        if record.modality:
            found.Modality = record.modality
        return found


@dataclass(frozen=True, slots=True)
class ScreenedStudy:
    """A study, as it is told to a PACS.

    Attributes
    ----------
    dossier
        What the records hold.
    images
        All but what we made ourselves, in the order of the records.
    review
        The newest one of the study that stands; ``None`` before the first.
    said_at
        When somebody last reviewed the study or took a review back, UTC.
    """

    dossier: Dossier
    images: tuple[ScreenedImage, ...]
    review: Review | None = None
    said_at: dt.datetime | None = None

    @property
    def original(self) -> Dataset:
        """The header of which patient, study and request are carried.

        Raises
        ------
        ArchiveError
            If no file of the study is in the archive any more.
        """
        for image in self.images:
            if image.path is not None:
                return present(image.header, self.dossier.reidentified)
        raise ArchiveError("no file of the study is in the archive any more: restore it")

    @property
    def removal(self) -> Removal | None:
        """That a rule removed the pixels of every image; ``None`` where there are any left."""
        found = [image.record.removal for image in self.images]
        return found[0] if found and None not in found else None

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return self.dossier.case.study_instance_uid

    @property
    def verdict(self) -> Verdict:
        """As it stands."""
        return self.dossier.case.verdict

    @property
    def model(self) -> ModelIdentity | None:
        """Of the score that is the study's; ``None`` where nothing was scored.

        Its images may be several models': each image's own stands with it.
        """
        scores = [image.score for image in self.images if image.score is not None]
        if not scores:
            return None
        own = max(
            scores, key=lambda score: (*weight(score.verdict, score.probability), score.scored_at)
        )
        return ModelIdentity(own.model, own.model_version, own.model_digest)

    @property
    def version(self) -> str:
        """SHA-256 over all that is told: the same where nothing has changed."""
        told: list[object] = [
            self.verdict.value,
            [_told(image) for image in self.images],
            [self.review.opinion, self.review.finding, self.review.number] if self.review else [],
        ]
        if self.dossier.reidentified is not None:
            # Another patient is another object: under its UID a PACS may hold the one before.
            told.append(dataclasses.astuple(self.dossier.reidentified))
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def decided_at(self) -> dt.datetime:
        """When the newest of what is told was found or said, UTC."""
        return max(self.scored_at, self.said_at or self.scored_at)

    @property
    def scored_at(self) -> dt.datetime:
        """When its newest score was found, UTC; when its first image came, where there is none."""
        found = [image.score.scored_at for image in self.images if image.score is not None]
        return max(found, default=self.dossier.case.received_at)


def present(header: Dataset, patient: Reidentified | None) -> Dataset:
    """Return a header with its patient as they are by now, in UTF-8; itself if nothing changed.

    The issuer's qualifiers and other identifiers were those of the identifier before.
    """
    if patient is None:
        return header
    made = copy.deepcopy(header)
    made.decode()
    made.SpecificCharacterSet = "ISO_IR 192"
    for name in ("IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence"):
        made.pop(name, None)
    made.PatientID, made.IssuerOfPatientID = patient.patient_id, patient.issuer_of_patient_id
    made.PatientName, made.PatientSex = patient.patient_name, patient.patient_sex
    made.PatientBirthDate = (patient.patient_birth_date or "").replace("-", "")
    if not patient.issuer_of_patient_id:
        del made.IssuerOfPatientID
    return made


def _told(image: ScreenedImage) -> list[object]:
    score, exclusion = image.score, image.record.exclusion
    uid = image.record.sop_instance_uid
    if score is None:
        return [uid, exclusion.reason.value if exclusion else None]
    model = score.model, score.model_version, score.model_digest
    return [uid, *model, score.probability, score.high_sensitivity, score.high_specificity]


def open_screened(
    dossier: Dossier,
    archive: Archive,
    reviews: Sequence[Review] = (),
    said_at: dt.datetime | None = None,
) -> ScreenedStudy:
    """Put a study together.

    Parameters
    ----------
    dossier
        Of the study.
    archive
        Where its files are.
    reviews
        Those that stand, the newest last.
    said_at
        When somebody last reviewed the study or took a review back, UTC.

    Raises
    ------
    ArchiveAwayError
        If the archive as a whole is not there.
    """
    images = []
    uid = dossier.case.study_instance_uid
    for record in dossier.images:
        if record.exclusion is not None and record.exclusion.reason is Reason.DERIVED_BY_US:
            continue
        images.append(_open(uid, record, archive))
    of_study = [review for review in reviews if review.sop_instance_uid is None]
    return ScreenedStudy(dossier, tuple(images), of_study[-1] if of_study else None, said_at)


def _open(study_instance_uid: str, record: Image, archive: Archive) -> ScreenedImage:
    if record.removal is not None or not archive.holds(record.digest):
        return ScreenedImage(study_instance_uid, record, Dataset(), None)
    path = archive.open_path(record.digest)
    header = dcmread(path, stop_before_pixels=True, force=True)
    return ScreenedImage(study_instance_uid, record, header, path)
