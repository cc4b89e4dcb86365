"""One exported image as a line of the tables: read back from its file, so that nothing else is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread


@dataclass(frozen=True, slots=True)
class Row:
    """A line; each value is a word of ours, a number or a pseudonym.

    Attributes
    ----------
    path
        From the folder.
    label
        ``fractured``, ``not_fractured``, or empty where nobody said.
    split
        ``train``, ``val`` or ``test``: the patient's.
    group
        The patient's pseudonym: no group is in two splits.
    source
        Of the label: ``image_review`` or ``study_review``.
    verdict, probability
        The model's, of the image.
    anatomy, view, laterality
        As the file has them.
    age_band, sex
        Empty unless characteristics are kept; ten years, or ``90+``.
    """

    path: str
    label: str
    split: str
    group: str
    source: str
    verdict: str
    probability: str
    anatomy: str
    view: str
    laterality: str
    age_band: str
    sex: str

    def values(self) -> list[str]:
        """Return the values in the order of `COLUMNS`."""
        return list(dataclasses.astuple(self))


COLUMNS = [field.name for field in dataclasses.fields(Row)]


def described(path: Path) -> dict[str, str]:
    """Return what an exported file says of its film, by column."""
    ds = dcmread(path, stop_before_pixels=True)
    return {
        "anatomy": str(ds.get("BodyPartExamined", "")),
        "view": str(ds.get("ViewPosition", "")),
        "laterality": str(ds.get("ImageLaterality", ds.get("Laterality", ""))),
        "age_band": _band(str(ds.get("PatientAge", ""))),
        "sex": str(ds.get("PatientSex", "")),
    }


def _band(age: str) -> str:
    if not age:
        return ""
    decade = int(age[:3]) // 10 * 10
    return "90+" if decade >= 90 else f"{decade}-{decade + 9}"
