"""Small DICOM files for the tests that send them."""

from __future__ import annotations

import warnings
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.1.1"


def part10_file(
    path: Path,
    *,
    sop_class_uid: str = SOP_CLASS,
    sop_instance_uid: str | None = None,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    study_instance_uid: str = "1.2.826.0.1.3680043.10.5.1",
) -> Path:
    """Write a data set without pixels; in a compressed syntax it is Explicit VR Little Endian."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are wrong on purpose
        ds = Dataset()
        ds.SOPClassUID = sop_class_uid
        ds.SOPInstanceUID = generate_uid() if sop_instance_uid is None else sop_instance_uid
        ds.StudyInstanceUID = study_instance_uid
        ds.SeriesInstanceUID = study_instance_uid + ".1"
        ds.PatientName = "PHANTOM^SENT"
        ds.PatientID = "PHANTOM"
        ds.Modality = "DX"
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(sop_class_uid)
        meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
        meta.TransferSyntaxUID = UID(transfer_syntax_uid)
        ds.file_meta = meta
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=bool(ds.SOPInstanceUID))
        content = path.read_bytes()
    if content[128:132] != b"DICM":
        path.write_bytes(b"\0" * 128 + b"DICM" + content)
    return path
