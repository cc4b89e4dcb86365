"""A key object selection: which images of a study to look at first."""

from __future__ import annotations

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs.results import codes
from pacs.results.carried import requests
from pacs.results.identity import (
    MANUFACTURER,
    NOTICE,
    SERIES_DESCRIPTIONS,
    SERIES_NUMBERS,
    Kind,
    series_uid,
    uid_of,
)
from pacs.results.screened import ScreenedStudy


def key_images_uid(study: ScreenedStudy) -> UID:
    """Return the UID of a study's key images: the same as long as the same ones are flagged."""
    flagged = [
        (image.record.sop_instance_uid, image.score.verdict.value)
        for image in study.images
        if image.is_flagged and image.is_image and image.score is not None
    ]
    return uid_of("key images", study.uid, flagged)


def make_key_images(study: ScreenedStudy) -> Dataset | None:
    """List the flagged images of a study (TID 2010); ``None`` where there are none."""
    flagged = [image for image in study.images if image.is_flagged and image.is_image]
    if not flagged:
        return None
    originals = [image.reference() for image in flagged]
    words = ", ".join(sorted({image.score.verdict.value for image in flagged if image.score}))
    made: Dataset = KeyObjectSelectionDocument(
        evidence=originals,
        content=KeyObjectSelection(
            document_title=CodedConcept.from_code(codes.OF_INTEREST),
            referenced_objects=originals,
            description=f"{NOTICE}: {words}",
        ),
        series_instance_uid=series_uid(study.uid, Kind.KEY_IMAGES),
        series_number=SERIES_NUMBERS[Kind.KEY_IMAGES],
        sop_instance_uid=key_images_uid(study),
        instance_number=1,
        manufacturer=MANUFACTURER,
        requested_procedures=requests(study.original) or None,
    )
    made.SeriesDescription = SERIES_DESCRIPTIONS[Kind.KEY_IMAGES]
    return made
