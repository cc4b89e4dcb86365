"""The demonstration set: a night's worth of phantoms, in the variety that a PACS sends.

What a classifier says of a phantom is no measure of its accuracy. The expectations here are only
whether an image can be scored at all, and if not, for which reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from phantoms.film import Film, codes_of
from phantoms.radiograph import ANATOMIES, Break, make_phantom
from phantoms.study import Patient, View, Visit, image, report, save, without_pixels
from phantoms.transfer import transcode
from screening.domain.reason import Reason

Expected = Literal["scored"] | Reason

DEFAULT_NOW = dt.datetime(2025, 1, 6, 21, 30)
"""The night of the set where the caller gives no other: files are then the same every time."""


@dataclass(frozen=True, slots=True)
class SampleStudy:
    """A study of the set, as written.

    Attributes
    ----------
    study_instance_uid
        The study's UID.
    paths
        Its files, in the order of their instances.
    description
        What is in it, for a person.
    expected
        For each of ``paths``, ``"scored"`` or the reason why it has no score.
    """

    study_instance_uid: str
    paths: tuple[Path, ...]
    description: str
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What one study is made of; ``views`` are projections, or what stands in their place."""

    name: str
    anatomy: str
    side: str
    views: tuple[str, ...]
    film: Film
    transfer_syntax: UID
    description: str
    broken: Break | None = None
    sex: str = "O"
    age: str = "045Y"
    character_set: tuple[str, ...] = ()
    excluded: Reason | None = None

    @property
    def body_part(self) -> str:
        return "LEG" if self.anatomy == "INFANT LEG" else self.anatomy


_RECIPES = (
    _Recipe(
        "PHANTOM^FOREARM", "FOREARM", "R", ("AP", "LAT"),
        Film("DX", "MONOCHROME2", 14, padded=True), ExplicitVRLittleEndian,
        "forearm, both bones broken and displaced",
        Break(("radius", "ulna"), apart=True), sex="F", age="034Y",
    ),
    _Recipe(
        "PHANTOM^HAND", "HAND", "L", ("PA", "OBL"),
        Film("CR", "MONOCHROME1", 10, voi="none"), ImplicitVRLittleEndian, "hand, nothing broken",
        sex="M", age="051Y",
    ),
    _Recipe(
        "FANTÔME^CHEVILLE", "LEG", "L", ("AP", "LAT"),
        Film("DX", "MONOCHROME1", 12), JPEGLSLossless, "lower leg, a fissure in the fibula",
        Break(("fibula",), apart=False), sex="F", age="067Y", character_set=("ISO_IR 100",),
    ),
    _Recipe(
        "PHANTOM^KNEE", "KNEE", "R", ("AP", "LAT"),
        Film("CR", "MONOCHROME2", 12), RLELossless, "knee, nothing broken", sex="M", age="029Y",
    ),
    _Recipe(
        "MOKEI^ASHI=模型^足=もけい^あし", "FOOT", "R", ("AP", "OBL"),
        Film("DX", "MONOCHROME2", 16), JPEG2000Lossless,
        "foot, a fissure in the base of the fifth metatarsal",
        Break(("fifth-0",), apart=False), sex="M", age="042Y",
        character_set=("", "ISO 2022 IR 87"),
    ),
    _Recipe(
        "PHANTOM^CHEST", "CHEST", "U", ("PA",),
        Film("DX", "MONOCHROME2", 12), ExplicitVRLittleEndian, "chest, which is out of scope",
        age="058Y", excluded=Reason.BODY_PART_OUT_OF_SCOPE,
    ),
    _Recipe(
        "PHANTOM^HUMERUS", "HUMERUS", "L", ("AP", "LAT"),
        Film("CR", "MONOCHROME2", 12, rescale=(2.0, -120.0)), ExplicitVRBigEndian,
        "humerus, shaft broken and displaced",
        Break(("humerus",), apart=True), sex="F", age="078Y",
    ),
    _Recipe(
        "PHANTOM^BOXER", "HAND", "R", ("PA", "OBL"),
        Film("DX", "MONOCHROME1", 12, voi="lut"), DeflatedExplicitVRLittleEndian,
        "hand, neck of the fifth metacarpal broken",
        Break(("little-0",), apart=True), sex="M", age="023Y",
    ),
    _Recipe(
        "PHANTOM^MIXED", "FOREARM", "L", ("AP", "REPORT", "NO PIXELS"),
        Film("DX", "MONOCHROME2", 12), ExplicitVRLittleEndian,
        "forearm, with a report and an image whose pixels never came", sex="O", age="039Y",
    ),
    _Recipe(
        "PHANTOM^INFANT", "INFANT LEG", "R", ("AP",),
        Film("CR", "MONOCHROME2", 12), ExplicitVRLittleEndian, "an infant's leg, for the age limit",
        age="010M", excluded=Reason.BELOW_AGE,
    ),
)  # fmt: skip

_IN_PLACE_OF_AN_IMAGE: dict[str, Expected] = {
    "REPORT": Reason.NOT_A_RADIOGRAPH,
    "NO PIXELS": Reason.NO_PIXEL_DATA,
}


def write_samples(
    folder: Path,
    *,
    seed: int = 7,
    studies: int | None = None,
    rows: int = 1600,
    now: dt.datetime = DEFAULT_NOW,
) -> list[SampleStudy]:
    """Write the demonstration set as DICOM files, a folder per study.

    The same arguments write the same pixels and UIDs. An infant's image is expected to fall below
    the age limit, which holds for the default settings.

    Parameters
    ----------
    folder
        Made if it is not there; files in it are overwritten.
    studies
        How many; by default one of each kind. More start over with other pictures.
    rows
        Height of each image in pixels.
    now
        The newest study ended a few minutes before it, the others up to that many hours.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    count = len(_RECIPES) if studies is None else studies
    return [_write(folder, index, seed, rows, now) for index in range(count)]


def _write(folder: Path, index: int, seed: int, rows: int, now: dt.datetime) -> SampleStudy:
    recipe = _RECIPES[index % len(_RECIPES)]
    visit = _visit(recipe, index, seed, now)
    paths, expected = [], []
    for number, (projection, ds) in enumerate(_instances(recipe, visit, seed + index, rows), 1):
        name = f"{number}-{projection.lower().replace(' ', '-')}.dcm"
        paths.append(folder / visit.patient.patient_id / name)
        save(ds, paths[-1])
        expected.append(_expectation(recipe, projection))
    return SampleStudy(
        visit.study_instance_uid, tuple(paths), f"phantom: {recipe.description}", tuple(expected)
    )


def _visit(recipe: _Recipe, index: int, seed: int, now: dt.datetime) -> Visit:
    number = f"{index + 1:04d}"
    patient = Patient(
        recipe.name, f"PHANTOM-{number}", recipe.sex, recipe.age, recipe.character_set
    )
    return Visit(
        patient,
        f"sample/{seed}/{number}",
        f"PHANTOM-A{number}",
        f"PHANTOM {recipe.body_part.lower()}, not a patient",
        now - dt.timedelta(minutes=5 + 17 * index),
    )


def _instances(
    recipe: _Recipe, visit: Visit, seed: int, rows: int
) -> Iterator[tuple[str, Dataset]]:
    height = ANATOMIES[recipe.anatomy]("AP").height
    for number, projection in enumerate(recipe.views, 1):
        view = View(recipe.body_part, recipe.side, projection, height / rows)
        if projection == "REPORT":
            ds = report(visit, number)
        elif projection == "NO PIXELS":
            ds = without_pixels(visit, number, View(view.body_part, view.side, "LAT"), recipe.film)
        else:
            picture = make_phantom(
                seed,
                recipe.anatomy,
                projection,
                recipe.broken,
                rows=rows,
                side=recipe.side,
                shuttered=recipe.film.modality == "DX",
            )
            ds = image(visit, number, view, recipe.film, codes_of(picture, recipe.film))
        transcode(ds, recipe.transfer_syntax)
        yield projection, ds


def _expectation(recipe: _Recipe, projection: str) -> Expected:
    if recipe.excluded is not None:
        return recipe.excluded
    return _IN_PLACE_OF_AN_IMAGE.get(projection, "scored")
