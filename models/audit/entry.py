"""One labelled file of a set, and the words by which sets name classes and splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.dataset import LABELS

SPLITS = ("train", "val", "test")

_LABEL_WORDS = {
    "fractured": "fractured",
    "not_fractured": "not_fractured",
    "non_fractured": "not_fractured",
    "notfractured": "not_fractured",
    "nonfractured": "not_fractured",
    "unfractured": "not_fractured",
    "no_fracture": "not_fractured",
    "normal": "not_fractured",
}
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

KNOWN_LABELS = (
    f"{' and '.join(LABELS)} (also read: {', '.join(sorted(set(_LABEL_WORDS) - set(LABELS)))})"
)
"""For messages: what a class may be called."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled file.

    Attributes
    ----------
    name
        As the set calls it: below its folder, or the table's ``path``.
    path
        Of the file.
    label
        ``fractured`` or ``not_fractured``.
    split
        ``train``, ``val``, ``test``, another word of the table, or empty where there is none.
    group
        The source that the set names; empty where it names none.
    attributes
        The other columns of the table, as they stand.
    """

    name: str
    path: Path
    label: str
    split: str = ""
    group: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


def label_of(word: str) -> str | None:
    """Return the label that a word means, ``None`` if it means none.

    Case, spaces and hyphens do not count: ``Not Fractured`` is ``not_fractured``.
    """
    return _LABEL_WORDS.get(_plain(word))


def split_of(word: str) -> str | None:
    """Return the split that a word means, ``None`` if it means none."""
    return _SPLIT_WORDS.get(_plain(word))


def _plain(word: str) -> str:
    return word.strip().lower().replace(" ", "_").replace("-", "_")
