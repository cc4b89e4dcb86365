"""The two splits of the multi-region set: the one that was published, and one that does not leak.

"Bone Fracture Multi-Region X-ray Data" (Kaggle, bmadushanirodrigo) is the set on which the
published models of our field were trained and measured. As published, nearly every test file has a
copy in train. The folder of the set holds ``kaggle_paths.csv`` (``kaggle_split``, ``label``,
``path``: a row per published file, several of them for one image) and ``index.csv`` (a row per
distinct image, with its source as ``group`` and a ``split`` of whole groups).

As a program, ``python -m models.comparison.multiregion SET OUT`` writes both as labelled sets.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.whole_file import write_whole
from screening.errors import TrainingError

PUBLISHED = "multiregion_published"
CLEAN = "multiregion_clean"
_PUBLISHED_COLUMNS = {"kaggle_split", "label", "path"}
_INDEX_COLUMNS = {"path", "label", "split", "original", "group"}


@dataclass(frozen=True, slots=True)
class SplitRow:
    """A row of a labelled set's table.

    Attributes
    ----------
    path
        Of the image, from the folder of the multi-region set.
    label, split, group
        As ``docs/training.md`` has them.
    copies
        How many files of its split are this image; 1 for a file of its own.
    fracatlas
        ``1`` if the image is FracAtlas's too, else ``0``.
    """

    path: str
    label: str
    split: str
    group: str
    copies: int
    fracatlas: str


def published_split(folder: Path, *, distinct: bool = False) -> list[SplitRow]:
    """Return the published split, leaks and all.

    Parameters
    ----------
    folder
        Of the multi-region set.
    distinct
        Whether an image that stands several times in train becomes one row, with its number in
        ``copies``. Validation and test keep a row per file, as published.

    Raises
    ------
    TrainingError
        If a table is missing, lacks a column, or names an image that the other does not know.
    """
    images = {row["path"]: row for row in _table(folder / "index.csv", _INDEX_COLUMNS)}
    files = _table(folder / "kaggle_paths.csv", _PUBLISHED_COLUMNS)
    unknown = [row["path"] for row in files if row["path"] not in images]
    if unknown:
        raise TrainingError(
            f"{folder / 'index.csv'} lacks {len(unknown)} images of kaggle_paths.csv, the first "
            f"{unknown[0]}: the two tables are not of one set; restore them"
        )
    copies = Counter((row["kaggle_split"], row["path"]) for row in files)
    if distinct:
        files = _first_of_each(files)
    return [
        _row(images[row["path"]], row["kaggle_split"], copies[row["kaggle_split"], row["path"]])
        for row in files
    ]


def _first_of_each(files: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    seen: set[str] = set()
    kept = []
    for row in files:
        if row["kaggle_split"] != "train" or row["path"] not in seen:
            kept.append(row)
        if row["kaggle_split"] == "train":
            seen.add(row["path"])
    return kept


def clean_split(folder: Path) -> list[SplitRow]:
    """Return the split of whole sources: train with its turned copies, the rest originals alone.

    Raises
    ------
    TrainingError
        If the table is missing or lacks a column.
    """
    return [
        _row(row, row["split"], 1)
        for row in _table(folder / "index.csv", _INDEX_COLUMNS)
        if row["split"] == "train" or row["original"] == "1"
    ]


def _row(image: dict[str, str], split: str, copies: int) -> SplitRow:
    return SplitRow(
        image["path"], image["label"], split, image["group"], copies, image.get("fracatlas", "")
    )


def _table(path: Path, columns: set[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise TrainingError(f"no {path.name} in {path.parent}: give the folder of the set")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = columns - set(reader.fieldnames or ())
        if missing:
            raise TrainingError(f"{path} lacks the columns {', '.join(sorted(missing))}: add them")
        return list(reader)


def write_set(rows: Iterable[SplitRow], images: Path, out: Path) -> Path:
    """Write rows as a labelled set: ``index.csv``, and a link to the folder of the images.

    Parameters
    ----------
    rows
        Of the table.
    images
        Folder that the paths of the rows start with.
    out
        Folder of the new set; a former table in it is replaced.

    Raises
    ------
    TrainingError
        If the link's place is taken by something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    link = out / images.name
    if not link.exists():
        link.symlink_to(images.resolve(), target_is_directory=True)
    elif link.resolve() != images.resolve():
        raise TrainingError(f"{link} is there and is not {images}: give another folder")
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(SplitRow.__slots__)
    writer.writerows(
        (row.path, row.label, row.split, row.group, row.copies, row.fracatlas) for row in rows
    )
    write_whole(out / "index.csv", table.getvalue().encode())
    return out


def main() -> None:
    """Write the two splits below a folder, as `multiregion_published` and `multiregion_clean`."""
    parser = argparse.ArgumentParser(
        prog="python -m models.comparison.multiregion", description=main.__doc__
    )
    parser.add_argument("set", type=Path, help="folder of the multi-region set")
    parser.add_argument("out", type=Path, help="folder for the two sets")
    parser.add_argument("--distinct", action="store_true", help="each train image once, counted")
    given = parser.parse_args()
    images = given.set / "images"
    write_set(published_split(given.set, distinct=given.distinct), images, given.out / PUBLISHED)
    write_set(clean_split(given.set), images, given.out / CLEAN)


if __name__ == "__main__":
    main()
