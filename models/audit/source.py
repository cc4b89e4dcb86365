"""Where a set comes from: folders, tables, or several of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.audit.entry import Entry
from models.audit.folder import read_folder
from models.audit.table import USUAL, Columns, read_table
from models.labels import KNOWN_LABELS, LABELS
from screening.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Source:
    """A set before its pixels are looked at.

    Attributes
    ----------
    paths
        What was asked for: folders and tables.
    entries
        In the order of the folders' names or of the tables' rows.
    others
        Files in class folders that are no images, by their suffix.
    """

    paths: tuple[Path, ...]
    entries: tuple[Entry, ...]
    others: tuple[Path, ...]


def read_source(
    paths: Sequence[Path], *, root: Path | None = None, columns: Columns = USUAL
) -> Source:
    """Read folders and tables as one set.

    A folder with an ``index.csv`` is read by that table, any other by its class folders.

    Parameters
    ----------
    paths
        Folders, or CSV files.
    root
        Folder that the paths in a table start from; the table's own where ``None``.
    columns
        Of the tables, where their names are not the usual ones.

    Raises
    ------
    TrainingError
        If anything of it cannot be read or understood, or a class has no image at all.
    """
    entries: list[Entry] = []
    others: list[Path] = []
    for path in paths:
        table = _table_of(path)
        if table is not None:
            entries.extend(read_table(table, root, columns))
            continue
        found = read_folder(path)
        entries.extend(found.entries)
        others.extend(found.others)
    _require_both_classes(entries)
    return Source(tuple(paths), tuple(entries), tuple(others))


def _table_of(path: Path) -> Path | None:
    try:
        if path.is_dir():
            index = path / "index.csv"
            return index if index.is_file() else None
        if path.is_file() and path.suffix.lower() == ".csv":
            return path
        what = "no folder and no CSV file" if path.exists() else "not there"
    except OSError as error:
        what = f"not readable ({error.strerror})"
    raise TrainingError(f"{path} is {what}: give a folder of class folders, or a CSV")


def _require_both_classes(entries: Sequence[Entry]) -> None:
    present = Counter(entry.label for entry in entries)
    for label in LABELS:
        if not present[label]:
            raise TrainingError(
                f"no image is labelled {label}: a set needs both classes, {KNOWN_LABELS}"
            )
