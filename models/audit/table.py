"""A set as a CSV: ``path`` and ``label``, and where it has them ``split`` and ``group``."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from models.audit.entry import Entry
from models.labels import KNOWN_VALUES, label_of_value, split_of
from screening.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what.

    Attributes
    ----------
    path, label
        Names of the two that every table needs.
    split
        Name of the split's. Where empty: ``split``, or else the one column whose name ends in
        ``split``.
    """

    path: str = "path"
    label: str = "label"
    split: str = ""


USUAL = Columns()
_USUAL_NAMES = ("path", "label", "split", "group")


def read_table(path: Path, root: Path | None = None, columns: Columns = USUAL) -> list[Entry]:
    """Read the rows of a CSV.

    Parameters
    ----------
    path
        Of the CSV, UTF-8, with a header.
    root
        Folder that its paths start from; the CSV's own where ``None``.
    columns
        Their names, where they are not the usual ones.

    Raises
    ------
    TrainingError
        If it cannot be read, lacks a column, or a row has no path or an unknown label.
    """
    present, rows = _rows(path)
    missing = {columns.path, columns.label} - set(present)
    if missing:
        raise TrainingError(
            f"{path} lacks the columns {', '.join(sorted(missing))} (it has "
            f"{', '.join(present) or 'none'}): add them"
        )
    chosen = replace(columns, split=_split_column(path, present, columns.split))
    for name in (chosen.path, chosen.label, chosen.split, "group"):
        if present.count(name) > 1:
            raise TrainingError(f"{path} has several columns named {name}: leave one of them")
    base = path.parent if root is None else root
    found = [_entry(path, base, chosen, row, line) for line, row in enumerate(rows, start=2)]
    if not found:
        raise TrainingError(f"{path} has no rows: list the images in it, one per row")
    return found


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, restkey="", restval="", delimiter=_delimiter(first))
            names = [_name(name) for name in reader.fieldnames or ()]
            reader.fieldnames = names
            return names, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(
            f"{path} cannot be read as a CSV ({error}): save it as UTF-8 text with commas"
        ) from error


def _delimiter(header: str) -> str:
    """Return what parts the columns: a spreadsheet saves semicolons or tabs where it is told to."""
    return max((",", ";", "\t"), key=header.count)


def _name(column: str) -> str:
    """Return a column's name without spaces around it, the usual ones in small letters."""
    bare = column.strip()
    return bare.lower() if bare.lower() in _USUAL_NAMES else bare


def _split_column(path: Path, columns: list[str], asked: str) -> str:
    if asked:
        if asked not in columns:
            raise TrainingError(
                f"{path} has no column {asked}: name one of {', '.join(columns)} with "
                "--split-column"
            )
        return asked
    if "split" in columns:
        return "split"
    ending = [column for column in columns if column.endswith("split")]
    if len(ending) > 1:
        raise TrainingError(
            f"{path} has several columns that may be its split, {', '.join(ending)}: choose one "
            "with --split-column"
        )
    return ending[0] if ending else ""


def _entry(table: Path, base: Path, columns: Columns, row: dict[str, str], line: int) -> Entry:
    name = row[columns.path].strip()
    if not name:
        raise TrainingError(f"{table}, line {line}, has no path: add it or remove the line")
    label = label_of_value(row[columns.label])
    if label is None:
        raise TrainingError(
            f"{table}, line {line}, labels {name} as {row[columns.label]!r}: a label is "
            f"{KNOWN_VALUES}"
        )
    # Under "" csv keeps the fields of a row that has more of them than the header.
    word = row[columns.split] if columns.split else ""
    known = {columns.path, columns.label, columns.split, "group"}
    others = {key: value for key, value in row.items() if key and key not in known}
    return Entry(name, base / name, label, split_of(word) or word, row.get("group", ""), others)
