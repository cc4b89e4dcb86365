"""The folder of an export: images, tables, and what was left out.

::

    FOLDER/images/4be0….dcm    named by a keyed hash
    FOLDER/index.csv           labelled images, as train and dataset read them
    FOLDER/images.csv          all images
    FOLDER/export.json         choices, counts, what was removed and refused

All files have the same time of modification: that of an export would tell of a night shift's case.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from screening.errors import ExportError
from screening.teaching.choices import Choices
from screening.teaching.row import COLUMNS, Row

_TIME = 946_684_800  # 2000-01-01 UTC
REPORT = "export.json"


class ExportFolder:
    """A folder that cases are exported into, new, or begun before with the same choices.

    Parameters
    ----------
    path
        Made where it is missing.
    choices
        Of this export.
    fingerprint
        Of the key.
    """

    def __init__(self, path: Path, choices: Choices, fingerprint: str) -> None:
        self.path = path
        self._images = path / "images"
        self._terms = {"choices": choices.as_dict(), "key": fingerprint}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the folder for one export.

        Raises
        ------
        ExportError
            If another one is at work in it, or it holds something else.
        """
        self.check()
        self._images.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (self.path / REPORT).exists():
                self._write(REPORT, json.dumps(self._terms | {"complete": False}, indent=2) + "\n")
            yield
        except BlockingIOError:
            raise ExportError(
                f"another export into {self.path} is under way: wait for its end"
            ) from None
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Refuse a folder that holds something else.

        Raises
        ------
        ExportError
            If it does.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise ExportError(f"{self.path} is no folder: name a new one")
        begun = self._begun()
        if begun is None and any(self.path.iterdir()):
            raise ExportError(f"{self.path} holds something that is no export: name a new folder")
        if begun is not None and {name: begun.get(name) for name in self._terms} != self._terms:
            raise ExportError(
                f"{self.path} was exported with other choices or another key: name a new folder"
            )

    def _begun(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.path / REPORT).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def strangers(self, names: Sequence[str]) -> list[str]:
        """Return the images that lie there, of an earlier export, and are not among ``names``."""
        if not self._images.is_dir():
            return []
        wanted = {f"{name}.dcm" for name in names}
        return sorted(path.name for path in self._images.glob("*.dcm") if path.name not in wanted)

    def image(self, name: str) -> Path:
        """Return the path of an image."""
        return self._images / f"{name}.dcm"

    def holds(self, name: str, patient: str) -> bool:
        """Say whether an image is there, whole, and of this pseudonym: a merge may change it."""
        try:
            ds = dcmread(self.image(name), specific_tags=["PatientID"], stop_before_pixels=True)
        except (OSError, InvalidDicomError):
            return False
        return str(ds.get("PatientID", "")) == patient

    def finish(self, rows: Sequence[Row], report: dict[str, Any]) -> None:
        """Write the tables and the report, in an order that tells nothing of the cases'."""
        ordered = sorted(rows, key=lambda row: row.path)
        self._write("images.csv", _table(ordered))
        labelled = [row for row in ordered if row.label]
        if labelled:
            self._write("index.csv", _table(labelled))
        else:
            (self.path / "index.csv").unlink(missing_ok=True)
        self._write(REPORT, json.dumps(self._terms | report, indent=2) + "\n")
        for left in self._images.glob(".*.part"):
            left.unlink()  # of an export that was killed
        for folder in (self._images, self.path):
            os.utime(folder, (_TIME, _TIME))

    def _write(self, name: str, text: str) -> None:
        part = self.path / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        settle(part, self.path / name)


def settle(part: Path, target: Path) -> None:
    """Give a file its name once it is on the disk, and the time that all have."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.utime(part, (_TIME, _TIME))
    part.replace(target)


def _table(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.values() for row in rows)
    return text.getvalue()
