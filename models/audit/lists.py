"""The tables of a report: the proposed split, and everything that was found, row by row."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models.audit.findings import Findings
from models.audit.likeness import Likeness, likeness

_INDEX = ("path", "label", "split", "group", "why_excluded", "given_split", "given_group")
_BOXES = "boxes.csv"


def lists(findings: Findings, folder: Path) -> dict[str, bytes]:
    """Return the CSV files of a report by name.

    ``index.csv`` (and ``boxes.csv`` where the set has one) are laid out for ``nightread train``;
    their paths start from ``folder``, where the report will lie.
    """
    found = {
        "index.csv": _index(findings, folder),
        "leaks.csv": _csv(("path", "split", "copy", "copy_split", *_HOW), _leaks(findings)),
        "conflicts.csv": _csv(
            ("path", "label", "other_path", "other_label", *_HOW), _conflicts(findings)
        ),
        "pairs.csv": _csv(("path", "other_path", *_HOW), _pairs(findings)),
        "faults.csv": _csv(("path", "label", "split", "fault", "detail"), _faults(findings)),
    }
    boxes = _boxes(findings, folder)
    return found | ({_BOXES: boxes} if boxes else {})


_HOW = ("similarity", "turned_degrees", "mirrored")


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _index(findings: Findings, folder: Path) -> bytes:
    """Write the proposed split, with the other columns of the set's table after our own."""
    others = list(dict.fromkeys(key for entry in findings.entries for key in entry.attributes))
    others = [key for key in others if key not in _INDEX]
    rows = (
        (
            _from(folder, entry.path),
            entry.label,
            item.split,
            item.group,
            item.why,
            entry.split,
            entry.group,
            *(entry.attributes.get(key, "") for key in others),
        )
        for entry, item in zip(findings.entries, findings.assigned, strict=True)
    )
    return _csv((*_INDEX, *others), rows)


def _from(folder: Path, path: Path) -> str:
    return os.path.relpath(path.absolute(), folder.absolute())


def _leaks(findings: Findings) -> Iterator[Sequence[object]]:
    for leak in findings.leaks:
        for copy in leak.copies:
            entry, original = findings.entries[copy.entry], findings.entries[copy.original]
            how = _how(copy.likeness)
            yield str(entry.path), leak.split, str(original.path), leak.into, *how


def _conflicts(findings: Findings) -> Iterator[Sequence[object]]:
    for item in findings.conflicts:
        a, b = findings.entries[item.first], findings.entries[item.second]
        yield str(a.path), a.label, str(b.path), b.label, *_how(item.likeness)


def _pairs(findings: Findings) -> Iterator[Sequence[object]]:
    for row in findings.pairs:
        pair = likeness(row)
        a, b = (findings.entries[findings.first_entry[i]] for i in (pair.first, pair.second))
        yield str(a.path), str(b.path), *_how(pair)


def _how(alike: Likeness | None) -> tuple[object, ...]:
    if alike is None:
        return 1, 0, 0
    return f"{alike.similarity:.4f}", round(alike.degrees), int(alike.mirrored)


def _faults(findings: Findings) -> Iterator[Sequence[object]]:
    for item in findings.faults:
        entry = findings.entries[item.entry]
        yield str(entry.path), entry.label, entry.split, item.fault.value, item.detail


def _boxes(findings: Findings, folder: Path) -> bytes:
    """Carry the fracture boxes of the set's tables over to the paths of the proposed split."""
    path_of = {entry.name: entry.path for entry in findings.entries}
    header: list[str] = []
    rows: list[Sequence[str]] = []
    for path in findings.source.paths:
        table = (path if path.is_dir() else path.parent) / _BOXES
        if table.is_file():
            with table.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, restkey="", restval="")
                header = header or [name for name in reader.fieldnames or () if name]
                rows += [
                    [_from(folder, path_of[row["path"]]), *(row.get(key, "") for key in header[1:])]
                    for row in reader
                    if header[0] == "path" and row["path"] in path_of
                ]
    return _csv(header, rows) if rows else b""
