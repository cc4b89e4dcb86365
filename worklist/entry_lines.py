"""The lines of the ledger for a file, written as they are read: CSV, RFC 4180, or JSON lines."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Iterator

from screening.records.entries import Entry
from worklist.objects import entry_object
from worklist.plain_text import no_formula


def entry_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a header and a line for each entry; a UID is safe in a spreadsheet, whatever it is."""
    yield _csv_line([field.name for field in dataclasses.fields(Entry)])
    for entry in entries:
        values = entry_object(entry).values()
        yield _csv_line([no_formula(v) if isinstance(v, str) else v for v in values])


def entry_json(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield an object of ASCII for each entry, each on a line of its own."""
    for entry in entries:
        yield json.dumps(entry_object(entry)) + "\n"


def _csv_line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
