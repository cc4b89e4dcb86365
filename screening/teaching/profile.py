"""The de-identified data set of a film: made anew of values that are known to name nobody.

PS3.15 Annex E, Basic Application Level Confidentiality Profile, lists attributes that must be
removed, emptied or replaced (Table E.1-1). Here it is the other way round: what is not made below
is not there. No element is copied. Of the original come numbers that describe pixels, and words of
closed lists; texts, private attributes, overlays and nested items of its have no way in. What the
IOD asks for and Table E.1-1 forbids is a pseudonym, or empty.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from screening.dicom.lookup_table import LookupTable
from screening.dicom.window import Window
from screening.teaching.anatomy import anatomy_of
from screening.teaching.choices import Choices
from screening.teaching.film import Film
from screening.teaching.pseudonyms import Pseudonyms

METHOD = "Nightread: built of an allow-list, PS3.15 Annex E"

_DX = "1.2.840.10008.5.1.4.1.1.1.1"
_OLDEST_YEARS = 90  # and above: few enough to be known
_MODALITIES = frozenset({"CR", "DX", "RG"})
_VIEWS = frozenset({"AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LAT", "OBL"})
_LATERALITIES = frozenset({"L", "R", "U", "B"})
_SEXES = frozenset({"F", "M", "O"})
_RELATIONSHIPS = frozenset({"LIN", "LOG"})
_LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81, 91, 203))
_EMPTY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
    *("PatientBirthDate", "PatientSex", "Manufacturer"),
)
EMPTIED_OR_REPLACED = (
    *_EMPTY,
    *("PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SeriesNumber", "InstanceNumber"),
)
"""What is in each file, and never with the original's value; but see `Choices`."""

# PS3.16 CID 7050.
_BASIC = "113100", "Basic Application Confidentiality Profile"
_MODIFIED_DATES = (
    "113107",
    "Retain Longitudinal Temporal Information Modified Dates Option",
)
_CHARACTERISTICS = "113108", "Retain Patient Characteristics Option"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose film it is, and where in the study.

    Attributes
    ----------
    patient
        The pseudonym.
    number
        Of the film among the study's, from 1.
    """

    patient: str
    number: int


def deidentified(film: Film, place: Place, pseudonyms: Pseudonyms, choices: Choices) -> Dataset:
    """Return a film's data set, with file meta, Explicit VR Little Endian and native pixels."""
    ds = Dataset()
    for keyword in (*_EMPTY, "PatientOrientation"):
        setattr(ds, keyword, "")
    _add_identity(ds, film, place, pseudonyms)
    if choices.keep_characteristics:
        _add_characteristics(ds, film)
    if choices.shift_dates and film.header.study_date is not None:
        shifted = film.header.study_date - dt.timedelta(days=pseudonyms.days(place.patient))
        ds.StudyDate = shifted.strftime("%Y%m%d")
    _add_method(ds, choices)
    _add_description(ds, film)
    _add_grayscale(ds, film)
    _add_pixels(ds, film)
    _add_file_meta(ds)
    return ds


def _add_identity(ds: Dataset, film: Film, place: Place, pseudonyms: Pseudonyms) -> None:
    header = film.header
    ds.SOPClassUID = UID(header.sop_class_uid)
    ds.SOPInstanceUID = UID(pseudonyms.uid(header.sop_instance_uid))
    ds.StudyInstanceUID = UID(pseudonyms.uid(header.study_instance_uid))
    # A UID that was left out is another in each study.
    series = header.series_instance_uid or f"none of {header.study_instance_uid}"
    ds.SeriesInstanceUID = UID(pseudonyms.uid(series))
    ds.PatientID = ds.PatientName = place.patient
    ds.SeriesNumber = ds.InstanceNumber = place.number


def _add_characteristics(ds: Dataset, film: Film) -> None:
    if film.header.patient_sex in _SEXES:
        ds.PatientSex = film.header.patient_sex
    if film.header.age_years is not None:
        ds.PatientAge = f"{min(int(film.header.age_years), _OLDEST_YEARS):03}Y"


def _add_method(ds: Dataset, choices: Choices) -> None:
    """Say that and how it was de-identified, PS3.3 C.7.1.1 and C.7.2.1."""
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = METHOD
    codes = [_BASIC]
    codes += [_MODIFIED_DATES] if choices.shift_dates else []
    codes += [_CHARACTERISTICS] if choices.keep_characteristics else []
    ds.DeidentificationMethodCodeSequence = [_code(*code, "DCM") for code in codes]
    ds.LongitudinalTemporalInformationModified = "MODIFIED" if choices.shift_dates else "REMOVED"


def _code(value: str, meaning: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _add_description(ds: Dataset, film: Film) -> None:
    header = film.header
    is_dx = header.sop_class_uid == _DX
    modality = (header.modality or "").upper()
    ds.Modality = modality if modality in _MODALITIES else "DX" if is_dx else "CR"
    derived = "DERIVED" in header.image_type[:1]
    ds.ImageType = ["DERIVED" if derived else "ORIGINAL", "PRIMARY", ""]
    ds.BodyPartExamined = anatomy_of(header.body_part)
    view = (header.view_position or "").upper()
    ds.ViewPosition = view if view in _VIEWS else ""
    side = (header.laterality or "").upper()[:1]
    side = side if side in _LATERALITIES else ""
    if is_dx:
        ds.ImageLaterality = side or "U"
        ds.PresentationIntentType = "FOR PRESENTATION"
        ds.AnatomicRegionSequence = _region_of(ds.BodyPartExamined)
        ds.AcquisitionContextSequence = []
        ds.DetectorType = ds.PositionerType = ""
    else:
        ds.Laterality = side if side in ("L", "R") else ""
    if film.orientation:
        ds.PatientOrientation = list(film.orientation)
    # DX must say it (PS3.3 C.8.11.3); where nobody did, nobody has looked.
    if is_dx or film.annotation in ("YES", "NO"):
        ds.BurnedInAnnotation = "NO" if film.annotation == "NO" else "YES"
    if film.spacing:
        ds.PixelSpacing = [_decimal(each) for each in film.spacing]
    if film.detector_spacing:
        ds.ImagerPixelSpacing = [_decimal(each) for each in film.detector_spacing]


def _region_of(body_part: str) -> list[Dataset]:
    """Return the code of a body part from CID 4009, DX Anatomy Imaged (PS3.16), if it has one."""
    from pydicom.sr.codedict import codes

    names = {name.upper(): name for name in codes.CID4009.dir()} | {"LEG": "LowerLeg"}
    name = names.get(body_part)
    if name is None:
        return []
    code = getattr(codes.CID4009, name)
    return [_code(code.value, code.meaning, code.scheme_designator)]


def _add_grayscale(ds: Dataset, film: Film) -> None:
    gray = film.gray
    if gray.modality_lut is not None:
        ds.ModalityLUTSequence = [_table(gray.modality_lut)]
        ds.ModalityLUTSequence[0].ModalityLUTType = "US"
    else:
        ds.RescaleSlope, ds.RescaleIntercept = _decimal(gray.slope), _decimal(gray.intercept)
        ds.RescaleType = "US"
    if isinstance(gray.voi, LookupTable):
        ds.VOILUTSequence = [_table(gray.voi)]
    elif isinstance(gray.voi, Window):
        ds.WindowCenter, ds.WindowWidth = _decimal(gray.voi.center), _decimal(gray.voi.width)
        if gray.voi.function in ("LINEAR_EXACT", "SIGMOID"):
            ds.VOILUTFunction = gray.voi.function
    ds.PresentationLUTShape = "INVERSE" if gray.inverted else "IDENTITY"
    is_known = film.relationship in _RELATIONSHIPS
    ds.PixelIntensityRelationship = film.relationship if is_known else "LOG"
    ds.PixelIntensityRelationshipSign = 1 if gray.inverted else -1


def _table(lut: LookupTable) -> Dataset:
    item = Dataset()
    count = len(lut.entries) % 65_536  # 0 stands for 65,536
    # Its first value is negative where its inputs may be (PS3.3 C.11.1.1.1).
    vr = "SS" if lut.first < 0 and count < 1 << 15 else "US"
    first = lut.first if vr == "SS" else lut.first % 65_536
    item.add_new(0x00283002, vr, [count, first, lut.bits])
    item.add_new(0x00283006, "OW", lut.entries.astype("<u2").tobytes())
    return item


def _add_pixels(ds: Dataset, film: Film) -> None:
    image = film.image
    bits = image.bits_stored
    if not image.signed:
        bits = max(bits, int(film.values.max()).bit_length())
    allocated = 8 if bits <= 8 and not image.signed else 16
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, image.photometric_interpretation
    ds.Rows, ds.Columns = film.values.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, bits, bits - 1
    ds.PixelRepresentation = int(image.signed)
    if image.padding is not None:
        vr: Literal["SS", "US"] = "SS" if image.signed else "US"
        ds.add_new(0x00280120, vr, image.padding[0])
        if image.padding[1] != image.padding[0]:
            ds.add_new(0x00280121, vr, image.padding[1])
    is_lossy = film.lossy == "01" or film.header.transfer_syntax_uid in _LOSSY_SYNTAXES
    ds.LossyImageCompression = "01" if is_lossy else "00"
    words = film.values.astype("<i2" if image.signed else "u1" if allocated == 8 else "<u2")
    content = np.ascontiguousarray(words).tobytes()
    ds.add_new(0x7FE00010, "OB" if allocated == 8 else "OW", content + b"\0" * (len(content) % 2))


def _add_file_meta(ds: Dataset) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta


def _decimal(value: float) -> str:
    """Return a number as DS has it, of at most 16 characters (PS3.5 6.2)."""
    return f"{value:.10g}"
