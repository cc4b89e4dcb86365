"""A labelled set of radiographs: its rows, its fracture boxes, its copies.

A set is a folder with ``index.csv``, a CSV file, or a folder of class folders, as
`models.audit.source` reads them; and, where fractures are outlined, ``boxes.csv`` (``path``,
``x_center``, ``y_center``, ``width``, ``height`` as fractions of the image). ``docs/training.md``
describes both.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from models.audit.entry import Entry
from models.audit.source import read_source
from models.audit.table import USUAL, Columns
from models.image_file import pixel_digest, read_grey, read_pixels, unit_range
from models.labels import LABELS, split_of
from screening.errors import TrainingError

__all__ = [
    "LABELS",
    "Box",
    "Columns",
    "LabelledRadiograph",
    "content_digest",
    "digest",
    "leaks",
    "read_entries",
    "read_pixels",
    "read_split",
    "rows_of",
    "unit_range",
]

_BOX_COLUMNS = {"path", "x_center", "y_center", "width", "height"}


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
        independent in an interval. Empty where the set names none.
    boxes
        Of its fractures; empty where there are none or none were drawn.
    attributes
        The other columns of the table, as they stand.
    name
        As the set calls it.
    """

    path: Path
    fractured: int
    group: str
    boxes: tuple[Box, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    name: str = ""


def read_split(
    data: Path, split: str, *, root: Path | None = None, columns: Columns = USUAL
) -> list[LabelledRadiograph]:
    """Read the rows of one split, in the order of the table.

    Parameters
    ----------
    data
        A folder with ``index.csv``, a CSV file, or a folder of class folders.
    split
        ``train``, ``val``, ``test``, or another word that the table has.
    root
        Folder that the paths of a table start from; the table's own where ``None``.
    columns
        Of the table, where their names are not the usual ones.

    Raises
    ------
    TrainingError
        If the set cannot be read, or a column, an image or a class is missing, or one path has two
        labels.
    """
    entries = read_entries(data, root=root, columns=columns)
    wanted = split_of(split) or split
    found = rows_of([entry for entry in entries if entry.split == wanted], data, root)
    if not any(entry.split for entry in entries):
        raise TrainingError(
            f"{data} names no splits: give its table a column split, as `nightread dataset` writes "
            "one, or name the column that says it"
        )
    _require_both_classes(data, split, found)
    return found


def read_entries(
    data: Path, *, root: Path | None = None, columns: Columns = USUAL
) -> tuple[Entry, ...]:
    """Read what a set says of its files, of all splits, without looking at the files.

    Raises
    ------
    TrainingError
        If the set cannot be read, or one path has two labels.
    """
    if data.is_dir() and root is not None and not (data / "index.csv").is_file():
        raise TrainingError(
            f"{data} holds no index.csv, so --root has nothing to say: leave it out"
        )
    entries = read_source([data], root=root, columns=columns).entries
    labels: dict[Path, str] = {}
    for entry in entries:
        if labels.setdefault(entry.path, entry.label) != entry.label:
            raise TrainingError(
                f"{data} labels {entry.name} both fractured and not_fractured: correct the one "
                "that is wrong, or take both rows out"
            )
    return entries


def rows_of(
    entries: Sequence[Entry], data: Path, root: Path | None = None
) -> list[LabelledRadiograph]:
    """Return the radiographs of some entries of a set, with their boxes.

    Raises
    ------
    TrainingError
        If a file is not there, or a box is none.
    """
    own = data if data.is_dir() else data.parent
    boxes = _boxes(own) or _boxes(root or own)
    found = [
        LabelledRadiograph(
            entry.path,
            LABELS[entry.label],
            entry.group,
            boxes.get(entry.name, ()),
            entry.attributes,
            entry.name,
        )
        for entry in entries
    ]
    _require_files(data, found)
    return found


def _boxes(folder: Path) -> dict[str, tuple[Box, ...]]:
    path = folder / "boxes.csv"
    if not path.is_file():
        return {}
    found: dict[str, list[Box]] = defaultdict(list)
    for row in _box_rows(path):
        found[row["path"]].append(_box(path, row))
    return {path: tuple(boxes) for path, boxes in found.items()}


def _box_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            missing = _BOX_COLUMNS - set(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(
            f"{path} cannot be read as a CSV ({error}): save it as UTF-8 text with commas"
        ) from error
    if missing:
        raise TrainingError(f"{path} lacks the columns {', '.join(sorted(missing))}: add them")
    return rows


def _box(path: Path, row: dict[str, str]) -> Box:
    try:
        x, y = float(row["x_center"]), float(row["y_center"])
        half_width, half_height = float(row["width"]) / 2, float(row["height"]) / 2
    except ValueError as error:
        raise TrainingError(f"{path}, the box of {row['path']}: {error}; correct it") from error
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def _require_files(data: Path, found: Sequence[LabelledRadiograph]) -> None:
    missing = [item.path for item in found if not _is_file(item.path)]
    if missing:
        raise TrainingError(
            f"{len(missing)} images that {data} names are not there, the first {missing[0]}: "
            "restore them, take their rows out of the table, or, if its paths start from another "
            "folder, name that with --root"
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name too long for the file system, or with a null byte.
        return False


def _require_both_classes(data: Path, split: str, found: Sequence[LabelledRadiograph]) -> None:
    present = {item.fractured for item in found}
    for name, label in LABELS.items():
        if label not in present:
            raise TrainingError(
                f"split {split!r} of {data} has no image labelled {name}: "
                "training and evaluation need both classes"
            )


def digest(items: Iterable[LabelledRadiograph]) -> str:
    """Return the SHA-256 of a set: names, labels, boxes and the bytes of its files, in order."""
    total = hashlib.sha256()
    for item in items:
        content = hashlib.sha256(item.path.read_bytes()).hexdigest()
        total.update(f"{item.path.name},{item.fractured},{item.boxes},{content}\n".encode())
    return total.hexdigest()


def leaks(
    train: Iterable[LabelledRadiograph], others: Iterable[LabelledRadiograph]
) -> list[LabelledRadiograph]:
    """Return those of ``others`` whose decoded pixels are in ``train`` too, in their order.

    Near, turned and mirrored copies are not looked for: `nightread dataset` does that. Files that
    cannot be read count as no copy. A file is decoded once in the life of the process.
    """
    known = {copied for row in train if (copied := content_digest(row.path))}
    return [row for row in others if content_digest(row.path) in known]


def sources_of(rows: Iterable[LabelledRadiograph]) -> list[str]:
    """Return the source of each row; one that names none shares it with its exact copies alone."""
    return [row.group or content_digest(row.path) or str(row.path) for row in rows]


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file's decoded pixels, empty where there are none.

    Two files that were compressed by different means, or carry different metadata, have the same.
    """
    try:
        found = path.stat()
    except OSError:
        return ""
    return _digest_of(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1_000_000)
def _digest_of(path: Path, modified: int, size: int) -> str:
    """Decode a file once; another time or size is another file."""
    try:
        return pixel_digest(read_grey(path))
    except TrainingError:
        return ""
