"""Studies with results for the tests of what goes back to a PACS."""

from __future__ import annotations

import io

import numpy as np
from desk import TestDesk
from PIL import Image

from pacs.results.screened import ScreenedStudy, open_screened
from phantoms.load import small_study
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.dossier import open_dossier
from screening.records.reviews import standing_reviews


def heat() -> bytes:
    """Return a heatmap with a hot region and a warm one."""
    values = np.zeros((64, 48), np.uint8)
    values[20:30, 10:20], values[40:45, 30:40] = 250, 180
    written = io.BytesIO()
    Image.fromarray(values).save(written, "PNG")
    return written.getvalue()


def file_results(desk: TestDesk, number: int = 1) -> str:
    """File a suspected, a doubtful and a clear image, and one that is not scored."""
    results = (
        Prediction(0.876543210123),
        Prediction(0.3),
        Prediction(0.01),
        Exclusion(Reason.TOO_SMALL, "40 x 40"),
    )
    uid = ""
    for ds, result in zip(small_study(number, 4), results, strict=True):
        ds.AccessionNumber = f"A{number}"
        uid = desk.file(ds, result, heat())
    return uid


def screened(desk: TestDesk, uid: str) -> ScreenedStudy:
    """Return a study as it is told."""
    with desk.records.read() as session:
        dossier = open_dossier(session, uid)
        reviews = standing_reviews(session, uid)
    assert dossier is not None
    return open_screened(dossier, desk.archive, reviews)
