"""Cases and studies as JSON: every field under its own name, text as it came."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import Any

from screening.records.cases import Case
from screening.records.dossier import Dossier


def case_object(case: Case) -> dict[str, Any]:
    """Return a case as an object of JSON's own types; dates and times in ISO 8601."""
    return _object(case)


def dossier_object(dossier: Dossier) -> dict[str, Any]:
    """Return all of a study: ``case``, ``images``, ``conflicts`` and ``revisions``."""
    return _object(dossier)


def _object(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of the records
    return {field.name: _value(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _value(value: Any) -> Any:  # noqa: ANN401 - any field's value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return _object(value) if dataclasses.is_dataclass(value) else value
