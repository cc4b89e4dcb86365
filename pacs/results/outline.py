"""A presentation state that outlines, over the original, where a fracture is suspected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs.results.hot_regions import hot_regions, read_heat
from pacs.results.identity import (
    MANUFACTURER,
    NOTICE,
    SERIES_DESCRIPTIONS,
    SERIES_NUMBERS,
    Kind,
    ascii_of,
    series_uid,
    uid_of,
)
from pacs.results.screened import ScreenedImage, ScreenedStudy
from screening.records.dossier import Score

# How the original's values become grey: what a viewer applies without a presentation state.
_GREYS = (
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)


def outline_uid(image: ScreenedImage, score: Score) -> UID:
    """Return the UID of an image's outline: the same as long as it has the same score."""
    model = score.model, score.model_version, score.model_digest
    verdict = score.probability, score.verdict.value
    return uid_of("outline", image.record.sop_instance_uid, *model, *verdict)


def make_outline(study: ScreenedStudy, image: ScreenedImage) -> Dataset | None:
    """Outline the hot regions of a flagged image; ``None`` where it has none."""
    try:
        return _outline(study, image, _GREYS)
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError):
        # A window or a table that is not as the standard wants it: the viewer has its own way.
        return _outline(study, image, ())


def _outline(study: ScreenedStudy, image: ScreenedImage, greys: Sequence[str]) -> Dataset | None:
    score = image.score
    if score is None or score.heatmap is None or not image.is_image:
        return None
    boxes = hot_regions(read_heat(score.heatmap.picture))
    if not boxes:
        return None
    original = _original(image, greys)
    layer = GraphicLayer("NIGHTREAD", order=1, description=NOTICE)
    size = np.array([image.record.columns, image.record.rows], float)
    annotation = GraphicAnnotation(
        [original],
        layer,
        graphic_objects=[_rectangle(box, size) for box in boxes],
        text_objects=[_text(f"{NOTICE}: {score.verdict.value} {score.probability:.2f}", boxes[0])],
    )
    made: Dataset = GrayscaleSoftcopyPresentationState(
        referenced_images=[original],
        series_instance_uid=series_uid(study.uid, Kind.OUTLINE),
        series_number=SERIES_NUMBERS[Kind.OUTLINE],
        sop_instance_uid=outline_uid(image, score),
        instance_number=study.images.index(image) + 1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=ascii_of(score.model),
        software_versions=ascii_of(score.model_version),
        device_serial_number=score.model_digest[:16],
        content_label="NIGHTREAD",
        content_description=NOTICE,
        graphic_annotations=[annotation],
        graphic_layers=[layer],
    )
    if str(image.header.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        # PS3.3 C.11.6.1.2: its values become grey the other way round.
        made.PresentationLUTShape = "INVERSE"
    side = image.record.laterality
    made.Laterality = side if side in ("L", "R") else None
    made.SeriesDescription = SERIES_DESCRIPTIONS[Kind.OUTLINE]
    return made


def _original(image: ScreenedImage, greys: Sequence[str]) -> Dataset:
    found = image.reference()
    for name in greys:
        if name in image.header:
            found[name] = image.header[name]
    return found


def _rectangle(box: tuple[float, float, float, float], size: np.ndarray) -> GraphicObject:
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
    # The first pixel's centre is at 0.5 in this system, its corner at 0 (PS3.3 C.10.5.1.2).
    return GraphicObject(
        GraphicTypeValues.POLYLINE,
        np.clip(corners * size, 0.5, size),
        AnnotationUnitsValues.PIXEL,
    )


def _text(text: str, box: tuple[float, float, float, float]) -> TextObject:
    left, _, right, bottom = box
    return TextObject(
        text,
        AnnotationUnitsValues.DISPLAY,
        anchor_point=(min(0.95, (left + right) / 2), min(0.97, bottom + 0.02)),
        anchor_point_visible=False,
    )
