"""The words by which labelled sets name classes and splits."""

from __future__ import annotations

LABELS = {"fractured": 1, "not_fractured": 0}
SPLITS = ("train", "val", "test")

_FOLDER_WORDS = {
    "fractured": "fractured",
    "fracture": "fractured",
    "not_fractured": "not_fractured",
    "non_fractured": "not_fractured",
    "notfractured": "not_fractured",
    "nonfractured": "not_fractured",
    "unfractured": "not_fractured",
    "no_fracture": "not_fractured",
    "normal": "not_fractured",
}
# In a column named "label" these can mean nothing else; a folder of such a name may be anything.
_TABLE_WORDS = _FOLDER_WORDS | {
    "1": "fractured",
    "1.0": "fractured",
    "yes": "fractured",
    "true": "fractured",
    "positive": "fractured",
    "abnormal": "fractured",
    "0": "not_fractured",
    "0.0": "not_fractured",
    "no": "not_fractured",
    "false": "not_fractured",
    "negative": "not_fractured",
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


def _known(words: dict[str, str]) -> str:
    return f"{' and '.join(LABELS)} (also read: {', '.join(sorted(set(words) - set(LABELS)))})"


KNOWN_LABELS = _known(_FOLDER_WORDS)
"""For messages: what a class folder may be called."""

KNOWN_VALUES = _known(_TABLE_WORDS)
"""For messages: what a table's label may be."""


def label_of(word: str) -> str | None:
    """Return the label that a folder's name means, ``None`` if it means none.

    Case, spaces and hyphens do not count: ``Not Fractured`` is ``not_fractured``.
    """
    return _FOLDER_WORDS.get(_plain(word))


def label_of_value(word: str) -> str | None:
    """Return the label that a table's value means, ``None`` if it means none.

    Besides the words of folders it knows 1 and 0, yes and no, true and false, positive and
    negative, and abnormal.
    """
    return _TABLE_WORDS.get(_plain(word))


def split_of(word: str) -> str | None:
    """Return the split that a word means, ``None`` if it means none."""
    return _SPLIT_WORDS.get(_plain(word))


def _plain(word: str) -> str:
    return word.strip().lower().replace(" ", "_").replace("-", "_")
