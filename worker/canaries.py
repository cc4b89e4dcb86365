"""The canaries: phantoms whose scores must be tonight what they were before."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from pydicom.dataset import Dataset

from models.screener import Screener
from phantoms.film import Film, codes_of
from phantoms.radiograph import make_phantom
from phantoms.study import Patient, View, Visit, image, save
from screening.errors import NightreadError
from screening.records.canaries import record_canaries, rounds_to_do
from screening.records.engine import Records
from worker.readers import Readers
from worker.reading import Excluded, Ready, Request

log = structlog.get_logger(__name__)

# Chosen for their spread: the classifier that ships gives them 0.01 to 0.93. A canary that is drawn
# in another way needs another name.
_CANARIES = {
    "forearm, broken": ("FOREARM", 2, True),
    "forearm": ("FOREARM", 1, False),
    "hand, broken": ("HAND", 3, True),
    "hand": ("HAND", 4, False),
    "humerus, broken": ("HUMERUS", 8, True),
    "knee, broken": ("KNEE", 5, True),
}
_FILM = Film("DX", "MONOCHROME2", 12)
_ROWS, _COLUMNS = 640, 512


def do_round(records: Records, round_row: int, screener: Screener, readers: Readers) -> None:
    """Score the canaries for a round, unless that is done.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    with records.read() as session:
        if round_row not in rounds_to_do(session, dt.datetime.now(dt.UTC)):
            return
    scores = score_canaries(screener, readers)
    model = screener.classifier.identity
    with records.begin() as session:
        record_canaries(session, round_row, model, scores, dt.datetime.now(dt.UTC))
    log.info("canaries_scored", canaries=len(scores))


def score_canaries(screener: Screener, readers: Readers) -> dict[str, float | str]:
    """Score each canary on the way of any other image: a file, a reader, the classifier.

    Returns
    -------
    dict
        By the canary's name, its probability or why it has none.
    """
    return {name: _score(name, screener, readers) for name in _CANARIES}


def _score(name: str, screener: Screener, readers: Readers) -> float | str:
    with _filed(name) as (path, ds):
        request = Request(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID), exact=True)
        try:
            reading = readers.read(request).result()
            if not isinstance(reading, Ready):
                return str(reading.exclusion if isinstance(reading, Excluded) else reading.error)
            (opinion,) = screener.score([reading.image], screener.classifier.points)
        except NightreadError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__} while scoring"
        return opinion.prediction.probability


@contextmanager
def _filed(name: str) -> Iterator[tuple[Path, Dataset]]:
    """Yield a canary as a DICOM file; its age is that of a grown-up, so that any model reads it."""
    anatomy, seed, broken = _CANARIES[name]
    picture = make_phantom(seed, anatomy, broken=broken or None, rows=_ROWS, columns=_COLUMNS)
    visit = Visit(
        Patient(f"CANARY^{anatomy}", "CANARY"),
        f"canary/{name}",
        "CANARY",
        "canary phantom, not a patient",
        dt.datetime(2025, 1, 6),
    )
    ds = image(visit, 1, View(anatomy, "R", "AP"), _FILM, codes_of(picture, _FILM))
    with tempfile.TemporaryDirectory(prefix="nightread-canary-") as folder:
        path = Path(folder) / "canary.dcm"
        save(ds, path)
        yield path, ds
