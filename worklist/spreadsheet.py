"""The list of cases as CSV, RFC 4180: the columns of its JSON, safe in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from typing import Any

from screening.records.cases import Case
from worklist.objects import case_object
from worklist.plain_text import no_formula


def spreadsheet(cases: Iterable[Case]) -> str:
    """Return the cases as CSV with a header line.

    Reasons are written as ``too_small:2 multi_frame:1``. Text loses its control characters, and
    text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    columns = [field.name for field in dataclasses.fields(Case)]
    # Quoted: where a semicolon separates, what follows one begins no cell of its own.
    writer = csv.DictWriter(text, columns, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for case in cases:
        writer.writerow({name: _cell(value) for name, value in case_object(case).items()})
    return text.getvalue()


def _cell(value: Any) -> object:  # noqa: ANN401 - any of JSON's types
    if isinstance(value, dict):
        return " ".join(f"{reason}:{count}" for reason, count in sorted(value.items()))
    return no_formula(value) if isinstance(value, str) else value
