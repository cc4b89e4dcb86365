"""Data sets of invented patients: CR and DX images, a report, an image without its pixels.

Everything in them says that they are phantoms, and nothing in them belongs to anybody.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from phantoms.film import Codes, Film, picture_elements

MANUFACTURER = "Nightread phantom"
NOTE = "PHANTOM, not a patient"

_NAMESPACE = uuid.UUID("5f0f3b0e-6f0a-5d0e-9b53-1c7de0f6a1c4")


def uid_of(*parts: object) -> UID:
    """Return the UID that stands for ``parts``, always the same: 2.25 and a UUID (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}")


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented patient.

    Attributes
    ----------
    age
        As PatientAge: three digits and a unit, for instance ``010M``.
    character_set
        SpecificCharacterSet that the name needs; the default repertoire where empty.
    """

    name: str
    patient_id: str
    sex: str = "O"
    age: str = "045Y"
    character_set: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One study of one patient.

    Attributes
    ----------
    key
        What the study's UIDs derive from.
    """

    patient: Patient
    key: str
    accession_number: str
    description: str
    when: dt.datetime

    @property
    def study_instance_uid(self) -> UID:
        """The study's UID, from its key."""
        return uid_of(self.key)


@dataclass(frozen=True, slots=True)
class View:
    """One view of a body part.

    Attributes
    ----------
    body_part
        A defined term of BodyPartExamined.
    side
        ``L``, ``R`` or ``U`` for unpaired.
    projection
        ``AP``, ``PA``, ``LAT`` or ``OBL``.
    spacing
        Of the detector's pixels, in mm.
    """

    body_part: str
    side: str
    projection: str
    spacing: float = 0.2


def image(visit: Visit, number: int, view: View, film: Film, pixels: Codes) -> Dataset:
    """Return a CR or a DX For Presentation image (PS3.3 A.2 and A.26), uncompressed.

    Parameters
    ----------
    number
        Of the image within the study, from 1; each image is a series of its own.
    pixels
        Shape (rows, columns), uint16.
    """
    ds = without_pixels(visit, number, view, film)
    ds.Rows, ds.Columns = pixels.shape
    ds.update(picture_elements(film))
    ds.add_new("PixelData", "OW", pixels.astype("<u2").tobytes())
    return ds


def without_pixels(visit: Visit, number: int, view: View, film: Film) -> Dataset:
    """Return the header of an image whose pixels never came."""
    sop_class = (
        ComputedRadiographyImageStorage
        if film.modality == "CR"
        else DigitalXRayImageStorageForPresentation
    )
    ds = _common(visit, number, sop_class, film.modality)
    ds.SeriesDescription = f"{view.body_part} {view.projection} phantom"
    ds.ProtocolName = f"{view.body_part} {view.projection}"
    ds.BodyPartExamined = view.body_part
    ds.ViewPosition = view.projection
    ds.ImageType = ["ORIGINAL", "PRIMARY"] if film.modality == "CR" else ["ORIGINAL", "PRIMARY", ""]
    ds.AcquisitionDate, ds.AcquisitionTime = ds.ContentDate, ds.ContentTime
    ds.ImageComments = NOTE
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.PatientOrientation = ["L", "F"] if view.projection == "AP" else ["A", "F"]
    ds.ImagerPixelSpacing = [f"{view.spacing:.4g}"] * 2
    ds.KVP = "55"
    if film.modality == "DX":
        _add_dx(ds, view, film)
    elif view.side in ("L", "R"):
        ds.Laterality = view.side
    return ds


def _common(visit: Visit, number: int, sop_class: UID, modality: str) -> Dataset:
    """Return what every object has: patient, study, series, equipment and SOP Common modules."""
    ds = Dataset()
    if visit.patient.character_set:
        ds.SpecificCharacterSet = list(visit.patient.character_set)
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = uid_of(visit.key, "instance", number)
    ds.StudyInstanceUID = visit.study_instance_uid
    ds.SeriesInstanceUID = uid_of(visit.key, "series", number)
    ds.PatientName = visit.patient.name
    ds.PatientID = visit.patient.patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = visit.patient.sex
    ds.PatientAge = visit.patient.age
    ds.PatientComments = NOTE
    taken = visit.when + dt.timedelta(seconds=40 * number)
    ds.StudyDate, ds.StudyTime = visit.when.strftime("%Y%m%d"), visit.when.strftime("%H%M%S")
    ds.SeriesDate, ds.SeriesTime = taken.strftime("%Y%m%d"), taken.strftime("%H%M%S")
    ds.ContentDate, ds.ContentTime = ds.SeriesDate, ds.SeriesTime
    ds.StudyID = visit.accession_number[-4:]
    ds.AccessionNumber = visit.accession_number
    ds.StudyDescription = visit.description
    ds.ReferringPhysicianName = ""
    ds.Modality = modality
    ds.SeriesNumber, ds.InstanceNumber = number, 1
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = "Analytic limb"
    ds.InstitutionName = "Phantom ward"
    ds.StationName = "PHANTOM"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


# Context Group 4009, DX Anatomy Imaged (PS3.16).
_REGIONS = {
    "CHEST": codes.CID4009.Chest,
    "FOOT": codes.CID4009.Foot,
    "FOREARM": codes.CID4009.Forearm,
    "HAND": codes.CID4009.Hand,
    "HUMERUS": codes.CID4009.Humerus,
    "KNEE": codes.CID4009.Knee,
    "LEG": codes.CID4009.LowerLeg,
}
# Context Group 4010, DX View (PS3.16).
_VIEWS = {
    "AP": codes.CID4010.AnteroPosterior,
    "PA": codes.CID4010.PosteroAnterior,
    "LAT": codes.CID4010.LateralProjection,
    "OBL": codes.CID4010.ObliqueProjection,
}


def _add_dx(ds: Dataset, view: View, film: Film) -> None:
    """Add what DX asks beyond CR: PS3.3 C.8.11.1 to C.8.11.5, and the Acquisition Context."""
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = view.side
    ds.AnatomicRegionSequence = [_item(_REGIONS[view.body_part])]
    ds.ViewCodeSequence = [_item(_VIEWS[view.projection])]
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = -1 if film.photometric == "MONOCHROME2" else 1
    inverse = film.photometric == "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    ds.DetectorType = "SCINTILLATOR"
    ds.PositionerType = ""
    ds.AcquisitionContextSequence = []


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def report(visit: Visit, number: int) -> Dataset:
    """Return a Basic Text SR (PS3.3 A.35.1) with one sentence, which is no radiograph."""
    ds = _common(visit, number, BasicTextSRStorage, "SR")
    ds.SeriesDescription = "Report on a phantom"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_item(codes.LN.DiagnosticImagingReport)]
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = [_item(codes.DCM.Finding)]
    text.TextValue = f"{NOTE}: there is nothing to report."
    ds.ContentSequence = [text]
    return ds


def save(ds: Dataset, path: Path) -> None:
    """Write a data set as a DICOM file (PS3.10), in the transfer syntax of its file meta."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
