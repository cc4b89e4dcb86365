"""UIDs, series and equipment of our objects: the same for the same content, whenever it is made."""

from __future__ import annotations

import json
import unicodedata
import uuid
from enum import StrEnum

from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

MANUFACTURER = "Nightread"
"""By which our own objects are known when they come back."""

NOTICE = "AI result, not for diagnosis"
"""What everything says that leaves us."""

_NAMESPACE = uuid.UUID("6a7a9c1e-5d6b-5b0e-9a55-9a8f3c1f6b1d")


class Kind(StrEnum):
    """What an object is for."""

    REPORT = "report"
    CAPTURE = "capture"
    SUMMARY = "summary"
    OUTLINE = "outline"
    KEY_IMAGES = "key_images"


def sop_class(kind: Kind, *, planar: bool = False) -> UID:
    """Return of which SOP Class an object is; ``planar`` as `Destination.planar_report` has it."""
    if kind is Kind.REPORT:
        return ComprehensiveSRStorage if planar else Comprehensive3DSRStorage
    return {
        Kind.CAPTURE: SecondaryCaptureImageStorage,
        Kind.SUMMARY: SecondaryCaptureImageStorage,
        Kind.OUTLINE: GrayscaleSoftcopyPresentationStateStorage,
        Kind.KEY_IMAGES: KeyObjectSelectionDocumentStorage,
    }[kind]


SERIES_NUMBERS = {
    Kind.REPORT: 9901,
    Kind.CAPTURE: 9902,
    Kind.SUMMARY: 9903,
    Kind.OUTLINE: 9904,
    Kind.KEY_IMAGES: 9905,
}
"""Far above those of a modality, and always the same."""

SERIES_DESCRIPTIONS = {
    Kind.REPORT: "Nightread AI report, not for diagnosis",
    Kind.CAPTURE: "Nightread AI heatmaps, not for diagnosis",
    Kind.SUMMARY: "Nightread AI summary, not for diagnosis",
    Kind.OUTLINE: "Nightread AI outlines, not for diagnosis",
    Kind.KEY_IMAGES: "Nightread AI key images, not for diagnosis",
}


def uid_of(*parts: object) -> UID:
    """Return the UID of what some parts name: a UUID of version 5 under 2.25, PS3.5 B.2.

    Parameters
    ----------
    parts
        Texts and numbers; the same ones give the same UID on every machine.
    """
    name = json.dumps([str(part) for part in parts])
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def ascii_of(text: str) -> str:
    """Return a text of ours in ASCII, with which every original's character set is compatible."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain.strip() or "?"


def series_uid(study_instance_uid: str, kind: Kind) -> UID:
    """Return the UID of a study's series of one kind."""
    return uid_of("series", study_instance_uid, kind.value)
