"""A labelled set of radiographs: its table, its fracture boxes, its pixels.

A set is a folder with ``index.csv`` (at least the columns ``path``, ``label``, ``split`` and
``group``) and, where fractures are outlined, ``boxes.csv`` (``path``, ``x_center``, ``y_center``,
``width``, ``height`` as fractions of the image). ``docs/training.md`` describes both.
"""

from __future__ import annotations

import csv
import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from screening.errors import TrainingError

LABELS = {"fractured": 1, "not_fractured": 0}
_INDEX_COLUMNS = {"path", "label", "split", "group"}
_BOX_COLUMNS = {"path", "x_center", "y_center", "width", "height"}
_truncated_allowed = threading.Lock()


@dataclass(frozen=True, slots=True)
class Box:
    """An outlined fracture: its edges as fractions of the radiograph, from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def contains(self, x: float, y: float) -> bool:
        """Tell whether a point, in the same fractions, lies in the box."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass(frozen=True, slots=True)
class LabelledRadiograph:
    """One row of a set.

    Attributes
    ----------
    path
        Of the image file.
    fractured
        1 or 0.
    group
        The source radiograph: rows of one group are never in two splits, nor counted as
        independent in an interval.
    boxes
        Of its fractures; empty where there are none or none were drawn.
    attributes
        The other columns of the table, as they stand.
    """

    path: Path
    fractured: int
    group: str
    boxes: tuple[Box, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


def read_split(folder: Path, split: str) -> list[LabelledRadiograph]:
    """Read the rows of one split, in the order of the table.

    Raises
    ------
    TrainingError
        If the folder, its table, a column, an image or a class is missing.
    """
    rows = [row for row in _table(folder / "index.csv", _INDEX_COLUMNS) if row["split"] == split]
    boxes = _boxes(folder)
    found = [_radiograph(folder, row, boxes) for row in rows]
    _require_files(folder, found)
    _require_both_classes(folder, split, found)
    return found


def _table(path: Path, columns: set[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise TrainingError(
            f"no {path.name} in {path.parent}: give the folder of a labelled set, "
            "laid out as docs/training.md says"
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = columns - set(reader.fieldnames or ())
        if missing:
            raise TrainingError(f"{path} lacks the columns {', '.join(sorted(missing))}: add them")
        return list(reader)


def _boxes(folder: Path) -> dict[str, tuple[Box, ...]]:
    path = folder / "boxes.csv"
    if not path.is_file():
        return {}
    found: dict[str, list[Box]] = defaultdict(list)
    for row in _table(path, _BOX_COLUMNS):
        found[row["path"]].append(_box(path, row))
    return {path: tuple(boxes) for path, boxes in found.items()}


def _box(path: Path, row: dict[str, str]) -> Box:
    try:
        x, y = float(row["x_center"]), float(row["y_center"])
        half_width, half_height = float(row["width"]) / 2, float(row["height"]) / 2
    except ValueError as error:
        raise TrainingError(f"{path}, the box of {row['path']}: {error}; correct it") from error
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def _radiograph(
    folder: Path, row: dict[str, str], boxes: dict[str, tuple[Box, ...]]
) -> LabelledRadiograph:
    label = LABELS.get(row["label"])
    if label is None:
        raise TrainingError(
            f"{folder / 'index.csv'} labels {row['path']} as {row['label']!r}: "
            f"a label is one of {', '.join(LABELS)}"
        )
    others = {key: value for key, value in row.items() if key not in _INDEX_COLUMNS}
    path = folder / row["path"]
    return LabelledRadiograph(path, label, row["group"], boxes.get(row["path"], ()), others)


def _require_files(folder: Path, found: list[LabelledRadiograph]) -> None:
    missing = [item.path for item in found if not item.path.is_file()]
    if missing:
        raise TrainingError(
            f"{len(missing)} images that {folder / 'index.csv'} names are not there, "
            f"the first {missing[0]}: restore them or take their rows out of the table"
        )


def _require_both_classes(folder: Path, split: str, found: list[LabelledRadiograph]) -> None:
    present = {item.fractured for item in found}
    for name, label in LABELS.items():
        if label not in present:
            raise TrainingError(
                f"split {split!r} of {folder} has no image labelled {name}: "
                "training and evaluation need both classes"
            )


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Read a JPEG or PNG as grey, uint8 (H, W).

    A file whose end is missing gives what it holds: the absent rows come out mid-grey. In the
    FracAtlas set all such files are normals, so leaving them out would teach a shortcut.

    Raises
    ------
    TrainingError
        If the file is no image at all.
    """
    # Pillow knows this setting only for the whole process: it is put back at once, under a lock.
    with _truncated_allowed:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with Image.open(path) as image:
                return np.asarray(image.convert("L"))
        except (UnidentifiedImageError, OSError) as error:
            raise TrainingError(
                f"{path} cannot be read as an image ({type(error).__name__}): "
                "replace it or take its row out of the table"
            ) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def unit_range(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 8-bit pixels as float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def digest(items: Iterable[LabelledRadiograph]) -> str:
    """Return the SHA-256 of a set: names, labels, boxes and the bytes of its files, in order."""
    total = hashlib.sha256()
    for item in items:
        content = hashlib.sha256(item.path.read_bytes()).hexdigest()
        total.update(f"{item.path.name},{item.fractured},{item.boxes},{content}\n".encode())
    return total.hexdigest()
