"""Studies with results for the tests of what goes back to a PACS."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any

import numpy as np
from desk import TestDesk
from PIL import Image

from pacs.destinations import Destination
from pacs.results.identity import Kind
from pacs.results.objects import ResultObject, plan_objects
from pacs.results.screened import ScreenedStudy, open_screened
from pacs.storage import Storage
from phantoms.load import small_study
from screening.dicom.decoders import Decoders
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.dossier import open_dossier
from screening.records.reviews import standing_reviews

DECODERS = Decoders(20.0, 2_000_000_000)


def storage(desk: TestDesk, to: Destination) -> Storage:
    """Return who brings results to a destination."""
    return Storage(
        desk.records,
        desk.archive,
        to,
        "NIGHTREAD",
        decoders=DECODERS,
        outgoing=desk.settings.outgoing_dir,
    )


def make_objects(
    study: ScreenedStudy,
    kinds: Collection[Kind],
    **choices: Any,  # noqa: ANN401
) -> list[ResultObject]:
    """Make a study's objects, all of them."""
    made = (plan.make() for plan in plan_objects(study, kinds, **choices))
    return [each for each in made if each is not None]


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
