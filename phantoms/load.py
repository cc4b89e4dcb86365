"""Many small studies, quickly: to load a listener, a queue and a worker, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from phantoms.film import Codes, Film, codes_of
from phantoms.radiograph import make_phantom
from phantoms.study import Patient, View, Visit, image, save

_ANATOMIES = ("FOREARM", "HAND", "KNEE", "LEG")
_FILM = Film("DX", "MONOCHROME2", 12)
_NOW = dt.datetime(2025, 1, 6, 21, 30)


def small_study(
    index: int, images: int = 2, *, seed: int = 7, side: int = 256, now: dt.datetime = _NOW
) -> Iterator[Dataset]:
    """Return the images of one small study, each with its own UID and its own pixels.

    Parameters
    ----------
    index
        Which study: the same index and seed always give the same data sets.
    images
        How many.
    side
        Height and width in pixels.
    """
    anatomy = _ANATOMIES[index % len(_ANATOMIES)]
    number = f"{index:06d}"
    visit = Visit(
        Patient(f"PHANTOM^{anatomy}", f"PHANTOM-L{number}"),
        f"load/{seed}/{number}",
        f"PHANTOM-L{number}",
        f"PHANTOM {anatomy.lower()}, not a patient",
        now,
    )
    for instance in range(1, images + 1):
        pixels = _grained(_base(anatomy, side), [seed, index, instance])
        view = View(anatomy, "R", "AP" if instance % 2 else "LAT")
        yield image(visit, instance, view, _FILM, pixels)


@cache
def _base(anatomy: str, side: int) -> Codes:
    picture = make_phantom(7, anatomy, rows=side, columns=side)
    codes = codes_of(picture, _FILM)
    codes.setflags(write=False)
    return codes


def _grained(codes: Codes, seed: list[int]) -> Codes:
    """Return the picture with noise of its own, of 0 to 31 codes of 4096."""
    grain = np.random.default_rng(seed).integers(0, 32, codes.shape, dtype=np.uint16)
    return codes + grain


def write_load(
    folder: Path, studies: int, images_per_study: int, *, seed: int = 7, side: int = 256
) -> list[Path]:
    """Write many small studies as DICOM files and return their paths, study by study."""
    paths = []
    for index in range(studies):
        for number, ds in enumerate(small_study(index, images_per_study, seed=seed, side=side), 1):
            paths.append(folder / f"{index:06d}" / f"{number}.dcm")
            save(ds, paths[-1])
    return paths
