"""An instance as its header describes it, and where it stands in its life cycle."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class InstanceState(StrEnum):
    """Life cycle of an instance: ``waiting`` until it has a score or a reason, never both."""

    WAITING = "waiting"
    SCORED = "scored"
    NOT_SCORED = "not_scored"


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What we read of a data set before its pixels.

    Text is as the sender's character set decodes, with what does not decode replaced; anything
    absent or unreadable is ``None`` and never an error. Only the three UIDs are always there.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid, study_instance_uid
        As they came, stripped of padding. Their form is not trusted: they are never used as a path.
    series_instance_uid
        ``None`` where the sender left it out.
    transfer_syntax_uid
        Of the data set as it was transferred.
    age_years
        From PatientAge, else from PatientBirthDate and the study date, in years.
    rows, columns, number_of_frames
        ``None`` where the data set has none, as in a report.
    body_part
        BodyPartExamined, else the words of the anatomic region; upper case.
    image_type
        The values of ImageType, for instance ``("ORIGINAL", "PRIMARY")``.
    """

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    series_instance_uid: str | None = None
    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: dt.date | None = None
    patient_sex: str | None = None
    age_years: float | None = None
    accession_number: str | None = None
    study_date: dt.date | None = None
    study_time: dt.time | None = None
    study_id: str | None = None
    study_description: str | None = None
    referring_physician: str | None = None
    modality: str | None = None
    series_number: int | None = None
    series_description: str | None = None
    protocol_name: str | None = None
    body_part: str | None = None
    laterality: str | None = None
    view_position: str | None = None
    instance_number: int | None = None
    image_type: tuple[str, ...] = ()
    presentation_intent: str | None = None
    photometric_interpretation: str | None = None
    samples_per_pixel: int | None = None
    rows: int | None = None
    columns: int | None = None
    number_of_frames: int | None = None
    has_pixel_data: bool = False
    manufacturer: str | None = None
    manufacturer_model: str | None = None
    station_name: str | None = None
    institution: str | None = None
