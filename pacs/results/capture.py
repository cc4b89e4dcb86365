"""Secondary Captures: a flagged radiograph with its heat, and a card that sums up the study."""

from __future__ import annotations

from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs.results.film import ReadFilm
from pacs.results.hot_regions import read_heat
from pacs.results.identity import (
    MANUFACTURER,
    SERIES_DESCRIPTIONS,
    SERIES_NUMBERS,
    Kind,
    ascii_of,
    series_uid,
    uid_of,
)
from pacs.results.picture import Rgb, draw_radiograph, draw_table
from pacs.results.screened import ScreenedImage, ScreenedStudy
from screening.errors import PixelError
from screening.records.dossier import Score


def capture_uid(image: ScreenedImage, score: Score) -> UID:
    """Return the UID of an image's capture: the same as long as it has the same score."""
    of_score = (
        *(score.model, score.model_version, score.model_digest),
        *(score.probability, score.high_sensitivity, score.high_specificity),
    )
    return uid_of("capture", image.record.sop_instance_uid, *of_score)


def summary_uid(study: ScreenedStudy) -> UID:
    """Return the UID of a study's summary as it stands."""
    return uid_of("summary", study.uid, study.version)


def make_capture(study: ScreenedStudy, image: ScreenedImage, film: ReadFilm) -> Dataset:
    """Draw a flagged radiograph, as somebody decodes it, with its heat and a legend.

    Raises
    ------
    PixelError
        If its file is not there or cannot be decoded.
    """
    score = image.score
    assert score is not None, "a flagged image has a score"
    if image.path is None:
        raise PixelError("its file is not in the archive any more")
    heat = read_heat(score.heatmap.picture) if score.heatmap else None
    legend = [
        f"{score.verdict.value}, probability of a fracture {score.probability:.2f}",
        f"{ascii_of(score.model)} {score.model_version}, "
        f"doubtful from {score.high_sensitivity:.2f}, suspected from {score.high_specificity:.2f}",
    ]
    made = _make(
        study,
        Kind.CAPTURE,
        draw_radiograph(film(image.path), heat, legend),
        capture_uid(image, score),
        number=study.images.index(image) + 1,
    )
    _refer(made, image)
    return made


def make_summary(study: ScreenedStudy) -> Dataset:
    """Draw a table of a study's images with their scores, and the verdict."""
    case = study.dossier.case
    rows = [_row(number, image) for number, image in enumerate(study.images, 1)]
    title = f"Verdict: {study.verdict.value.replace('_', ' ')}"
    if case.score is not None:
        title += f", highest score {case.score:.2f}"
    if study.model is not None:
        title += f", {ascii_of(study.model.name)} {study.model.version}"
    if study.review is not None and study.review.opinion is not None:
        title += f"; reviewer: {study.review.opinion.value}"
    made = _make(
        study,
        Kind.SUMMARY,
        draw_table(title, ("Image", "View", "Score", "Verdict"), rows),
        summary_uid(study),
        number=1,
    )
    made.Laterality = None  # of all images
    return made


def _row(number: int, image: ScreenedImage) -> tuple[str, str, str, str]:
    record, score = image.record, image.score
    view = " ".join(filter(None, (record.laterality, record.view_position)))
    plain = ascii_of(view)
    if score is not None:
        return str(number), plain, f"{score.probability:.2f}", score.verdict.value
    reason = record.exclusion.reason.sentence if record.exclusion else "waiting"
    return str(number), plain, "-", reason


def _make(study: ScreenedStudy, kind: Kind, pixels: Rgb, uid: UID, number: int) -> Dataset:
    made: Dataset = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=study.uid,
        series_instance_uid=series_uid(study.uid, kind),
        series_number=SERIES_NUMBERS[kind],
        sop_instance_uid=uid,
        instance_number=number,
        manufacturer=MANUFACTURER,
        patient_orientation=("L", "F"),
    )
    # It is drawn, whichever way the patient stood.
    made.PatientOrientation = None
    made.SeriesDescription = SERIES_DESCRIPTIONS[kind]
    made.Modality = "OT"
    made.ConversionType = "SYN"
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.ImageType = ["DERIVED", "SECONDARY"]
    return made


def _refer(made: Dataset, image: ScreenedImage) -> None:
    """Say of which image it is made."""
    source = Dataset()
    source.ReferencedSOPClassUID = image.record.sop_class_uid
    source.ReferencedSOPInstanceUID = image.record.sop_instance_uid
    made.SourceImageSequence = [source]
    made.DerivationDescription = "Heatmap of a classifier drawn over the radiograph"
    side = image.record.laterality
    made.Laterality = side if side in ("L", "R") else None
