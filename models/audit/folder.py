"""A set as class folders: the folder's name is the label, and another may name the split."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.audit.entry import Entry
from models.labels import KNOWN_LABELS, label_of, split_of
from screening.errors import TrainingError

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})
_DICOM = frozenset({".dcm", ".dicom", ".ima"})
_PREAMBLE = 128


@dataclass(frozen=True, slots=True)
class Found:
    """What lies below a folder: entries, and the files that are no images."""

    entries: list[Entry]
    others: list[Path]


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM by its suffix or by its preamble (PS3.10 7.1)."""
    if path.suffix.lower() in _DICOM:
        return True
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except (OSError, ValueError):
        return False


def read_folder(root: Path) -> Found:
    """Read class folders, with split folders above or below them or none at all.

    The innermost folder that names a class gives the label, the innermost that names a split the
    split; the names of ``root`` and of its parent count too.

    Raises
    ------
    TrainingError
        If a folder cannot be listed, a class folder holds no image, or an image lies in none.
    """
    above = root.resolve()
    found, classes = Found([], []), dict[Path, int]()
    for folder, names in _walk(root):
        parts = (above.parent.name, above.name, *folder.relative_to(root).parts)
        label = _innermost(parts[1:], label_of)
        images = [folder / name for name in names if _is_image(folder / name, found.others)]
        if label is None and images:
            raise TrainingError(
                f"{images[0]} lies in no class folder: put each image under a folder named after "
                f"its class, {KNOWN_LABELS}, or list them in a CSV with the columns path, label"
            )
        if label is not None:
            split = _innermost(parts, split_of) or ""
            found.entries.extend(
                Entry(str(path.relative_to(root)), path, label, split) for path in images
            )
            _count(classes, folder, root, len(images))
    _require_filled(root, classes, found)
    return found


def _walk(root: Path) -> list[tuple[Path, list[str]]]:
    def refuse(error: OSError) -> None:
        raise TrainingError(
            f"the folder {error.filename} cannot be read ({error.strerror}): give yourself the "
            "right to list it, or leave it out"
        ) from error

    walk = os.walk(root, onerror=refuse)
    return [(Path(folder), sorted(names)) for folder, _, names in sorted(walk)]


def _innermost(parts: tuple[str, ...], meaning: Callable[[str], str | None]) -> str | None:
    return next((found for part in reversed(parts) if (found := meaning(part))), None)


def _is_image(path: Path, others: list[Path]) -> bool:
    _require_text(path)
    if path.suffix.lower() in _PICTURES or is_dicom(path):
        return True
    others.append(path)
    return False


def _require_text(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise TrainingError(
            f"the name of the file {path.name!a} in {path.parent} is not UTF-8, so no table "
            "can hold it: rename the file"
        ) from None


def _count(classes: dict[Path, int], folder: Path, root: Path, images: int) -> None:
    """Count images for the folder and those above it that name a class."""
    for above in (folder, *folder.parents):
        if label_of(above.resolve().name if above == root else above.name):
            classes[above] = classes.get(above, 0) + images
        if above == root:
            return


def _require_filled(root: Path, classes: dict[Path, int], found: Found) -> None:
    empty = sorted(folder for folder, images in classes.items() if images == 0)
    if empty:
        raise TrainingError(
            f"the class folder {empty[0]} holds no image (JPEG, PNG or DICOM): fill it, or remove "
            "it so that nobody takes it for a class"
        )
    if not found.entries:
        raise TrainingError(
            f"no image (JPEG, PNG or DICOM) below {root}: give a folder with one folder per class, "
            f"{KNOWN_LABELS}, or a CSV"
        )
