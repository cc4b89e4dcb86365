"""Whether a classifier may have seen the images on which it is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.audit.entry import Entry
from models.dataset import LABELS, LabelledRadiograph, leaks


@dataclass(frozen=True, slots=True)
class Leakage:
    """What the measured images share with training images.

    Attributes
    ----------
    train_images
        Of the same set's train split, held against the measured ones; 0 if it names none.
    exact_copies
        Measured images whose decoded pixels are among them.
    same_group
        Measured images without a copy whose group is among theirs.
    bundle_leaking
        Whether the bundle's own metadata says that its training and validation shared images.
    """

    train_images: int
    exact_copies: int
    same_group: int
    bundle_leaking: bool

    @property
    def leaking(self) -> bool:
        """Whether any of it is so: then figures measure memory, at least in part."""
        return bool(self.exact_copies or self.same_group or self.bundle_leaking)


def find_leakage(
    entries: Sequence[Entry], rows: Sequence[LabelledRadiograph], metadata: Mapping[str, Any]
) -> Leakage:
    """Hold measured images against the train split of their own set.

    Parameters
    ----------
    entries
        Of the whole set.
    rows
        The measured images.
    metadata
        Of the bundle.
    """
    train = [
        LabelledRadiograph(entry.path, LABELS[entry.label], entry.group)
        for entry in entries
        if entry.split == "train"
    ]
    copies = {row.path for row in leaks(train, rows)} if train else set()
    groups = {row.group for row in train} - {""}
    related = sum(row.group in groups and row.path not in copies for row in rows)
    count = sum(row.path in copies for row in rows)
    return Leakage(len(train), count, related, trained_on_a_leak(metadata))


def trained_on_a_leak(metadata: Mapping[str, Any]) -> bool:
    """Tell whether a bundle's metadata says that its validation images were in its training."""
    found: Any = metadata
    for key in ("nightread", "training", "data", "leaking"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return bool(found)
