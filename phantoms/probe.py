"""One image that tries out a connection, and says so to whoever finds it in a PACS."""

from __future__ import annotations

import datetime as dt

from pydicom.dataset import Dataset

from phantoms.film import Film, codes_of
from phantoms.radiograph import make_phantom
from phantoms.study import Patient, View, Visit, image

PATIENT_ID = "NIGHTREAD-TEST"

# Of the picture and the header below: other bytes under a UID that was sent would be a conflict.
_KEY = "probe/1"
_FILM = Film("DX", "MONOCHROME2", 12)
_SIDE = 256
_WHEN = dt.datetime(2025, 1, 6, 12, 0)


def probe() -> Dataset:
    """Return a DX image of a phantom, the same with the same UIDs each time.

    However often it is sent, a PACS holds one of it.
    """
    visit = Visit(
        Patient("TEST^NIGHTREAD", PATIENT_ID),
        _KEY,
        "NIGHTREAD-TEST",
        "TEST of the connection to Nightread, not a patient",
        _WHEN,
    )
    picture = make_phantom(7, "HAND", "PA", rows=_SIDE, columns=_SIDE)
    return image(visit, 1, View("HAND", "R", "PA"), _FILM, codes_of(picture, _FILM))
