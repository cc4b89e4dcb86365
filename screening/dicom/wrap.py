"""A JPEG or PNG as a DX image, so that a film that left the PACS as a picture can be screened.

The picture keeps its grey values. Nothing of the file enters the header but its pixels: no name,
no EXIF, no text chunk. What DX asks for and a picture cannot tell is left empty or out. So there is
no Imager Pixel Spacing, which DX requires (PS3.3 C.8.11.4), since an invented one would let a
viewer measure in millimetres that never were; and Patient Orientation has no value.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    RE_VALID_UID,
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from screening.dicom.picture import Picture, read_picture
from screening.errors import HeaderError

_NAMESPACE = uuid.UUID("0c1ad8a4-6d0f-5c53-8f57-2f6f5a4f9b1e")

Laterality = Literal["L", "R", "U", "B"]


def wrapped_uid(*parts: str) -> UID:
    """Return the UID that stands for ``parts``, always the same: 2.25 and a UUID (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}")


def wrap_image(
    source: Path,
    *,
    now: dt.datetime,
    study_instance_uid: str | None = None,
    patient_id: str | None = None,
    accession_number: str = "",
    body_part: str | None = None,
    laterality: Laterality = "U",
) -> Dataset:
    """Wrap a JPEG or PNG as a DX image for presentation (PS3.3 A.26), MONOCHROME2.

    The UIDs derive from the file's bytes, the day and the other arguments: wrapping a file twice
    on one day gives the same data set, byte for byte, so that storing it twice changes nothing.

    Parameters
    ----------
    source
        The picture: grey, or colour whose channels hardly differ. Any orientation in its EXIF is
        applied. A truncated file is accepted as far as it goes; DerivationDescription says so.
    now
        Only its date is used, as the study's; pass the file's time of modification for UIDs that
        never change.
    study_instance_uid
        Of the study that the image belongs to; by default it is a study of its own.
    patient_id
        By default ``WRAPPED-`` and twelve digits, one patient per study.
    body_part
        A defined term of BodyPartExamined, for instance ``HAND``.
    laterality
        ``U`` names no side.

    Returns
    -------
    Dataset
        With file meta, Explicit VR Little Endian, 8 or 16 bits.

    Raises
    ------
    DecodeError
        The file is no JPEG or PNG, or is damaged beyond decoding.
    PixelError
        The picture is coloured, animated, or too large.
    HeaderError
        An argument is not a value that DICOM allows.
    OSError
        The file cannot be read.
    """
    picture = read_picture(source)
    day = now.strftime("%Y%m%d")
    claims = (study_instance_uid or "", patient_id or "", accession_number, body_part or "")
    key = (picture.digest, day, laterality, *claims)
    study = _checked_uid(study_instance_uid) if study_instance_uid else wrapped_uid("study", *key)
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = wrapped_uid("instance", *key)
    ds.SeriesInstanceUID = wrapped_uid("series", *key)
    ds.StudyInstanceUID = study
    ds.PatientID = _checked_text("patient id", patient_id or _patient_of(study), 64)
    ds.AccessionNumber = _checked_text("accession number", accession_number, 16)
    ds.StudyDate = day
    ds.AnatomicRegionSequence = []
    if body_part:
        ds.BodyPartExamined = _checked_code(body_part)
        ds.AnatomicRegionSequence = _region_of(ds.BodyPartExamined)
    ds.ImageLaterality = laterality
    _add_unknowns(ds)
    _add_picture(ds, picture)
    _add_file_meta(ds)
    return ds


def wrap_file(
    source: Path,
    target: Path,
    *,
    now: dt.datetime,
    study_instance_uid: str | None = None,
    patient_id: str | None = None,
    accession_number: str = "",
    body_part: str | None = None,
    laterality: Laterality = "U",
) -> Dataset:
    """Wrap a JPEG or PNG and write it as a DICOM file (PS3.10); see `wrap_image`.

    Raises
    ------
    OSError
        ``source`` cannot be read, or ``target`` not written; its folder must exist.
    """
    ds = wrap_image(
        source,
        now=now,
        study_instance_uid=study_instance_uid,
        patient_id=patient_id,
        accession_number=accession_number,
        body_part=body_part,
        laterality=laterality,
    )
    ds.save_as(target, enforce_file_format=True)
    return ds


def _patient_of(study: UID) -> str:
    return f"WRAPPED-{hashlib.sha256(study.encode()).hexdigest()[:12].upper()}"


def _checked_uid(value: str) -> UID:
    # pydicom warns of the value itself, which may be anything that was typed, so it never sees it.
    if len(value) > 64 or not re.fullmatch(RE_VALID_UID, value):
        raise HeaderError(
            "the Study Instance UID is not one: up to 64 digits and dots, no number starting with "
            "0 (PS3.5 9.1); leave it out to have one made"
        )
    return UID(value)


def _checked_text(what: str, value: str, most: int) -> str:
    if len(value) > most or not value.isascii() or not value.isprintable() or "\\" in value:
        raise HeaderError(
            f"the {what} must have at most {most} printable ASCII characters and no backslash "
            "(PS3.5 6.2); shorten or change it"
        )
    return value


def _checked_code(body_part: str) -> str:
    code = body_part.strip().upper()
    if not re.fullmatch(r"[A-Z0-9 _]{1,16}", code):
        raise HeaderError(
            "the body part must have at most 16 letters, digits, spaces or underscores "
            "(PS3.5 6.2), such as HAND or FOREARM"
        )
    return code


def _region_of(body_part: str) -> list[Dataset]:
    """Return the code of a body part from CID 4009, DX Anatomy Imaged (PS3.16), if it has one."""
    # Loading the code dictionary takes a tenth of a second, which --help should not cost.
    from pydicom.sr.codedict import codes

    names = {name.upper(): name for name in codes.CID4009.dir()} | {"LEG": "LowerLeg"}
    name = names.get(body_part.replace(" ", ""))
    if name is None:
        return []
    code = getattr(codes.CID4009, name)
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return [item]


def _add_unknowns(ds: Dataset) -> None:
    """Add what a DX image must have and a picture does not tell."""
    for keyword in (
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyTime",
        "StudyID",
        "ReferringPhysicianName",
        "Manufacturer",
        "PatientOrientation",
        "DetectorType",
    ):
        setattr(ds, keyword, "")
    ds.AcquisitionContextSequence = []
    ds.StudyDescription = "Wrapped picture"
    ds.Modality = "DX"
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.PresentationIntentType = "FOR PRESENTATION"
    # There may be text in the picture, and nobody has looked.
    ds.BurnedInAnnotation = "YES"


def _add_picture(ds: Dataset, picture: Picture) -> None:
    """Add the Image Pixel, DX Image and VOI LUT elements (PS3.3 C.7.6.3, C.8.11.3, C.11.2)."""
    pixels, bits = picture.pixels, 8 * picture.pixels.itemsize
    ds.ImageType = ["DERIVED", "PRIMARY", ""]
    ds.SeriesDescription = f"Wrapped from {picture.compression}"
    ds.DerivationDescription = " ".join((f"Wrapped from {picture.compression}.", *picture.notes))
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelRepresentation = 0
    # Pictures of films are dense where few quanta passed, on a scale that is not known; DX has
    # no word for that, and LOG is what films and processed images have.
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "US"
    ds.PresentationLUTShape = "IDENTITY"
    low, high = (0, 255) if bits == 8 else (int(pixels.min()), int(pixels.max()))
    ds.WindowCenter, ds.WindowWidth = f"{(low + high + 1) / 2:g}", f"{high - low + 1}"
    ds.LossyImageCompression = "00"
    if picture.compression == "JPEG":
        ds.LossyImageCompression = "01"
        ds.LossyImageCompressionRatio = f"{pixels.nbytes / picture.size:.3g}"
        ds.LossyImageCompressionMethod = "ISO_10918_1"
    data = np.ascontiguousarray(pixels, dtype=f"<u{pixels.itemsize}").tobytes()
    ds.add_new("PixelData", "OB" if bits == 8 else "OW", data + b"\0" * (len(data) % 2))


def _add_file_meta(ds: Dataset) -> None:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
