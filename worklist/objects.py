"""The records as JSON: every field under its own name, text as it came."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, cast

from screening.domain.agreement import Share
from screening.domain.alert_budget import LocalStudies
from screening.domain.review import Review
from screening.records.audit import AuditEntry
from screening.records.batch_files import BatchFile
from screening.records.calls import Call
from screening.records.cases import Case
from screening.records.deliveries import Delivery
from screening.records.dossier import Dossier
from screening.records.entries import Entry
from screening.records.ledger import Ledger
from screening.records.night_batches import Batch
from screening.records.night_studies import BatchStudy
from screening.records.night_tally import BatchTally, is_complete
from screening.records.operating_points import ModelPoints
from screening.records.retry import Unscored
from screening.records.tokens import Token
from screening.records.users import Account
from worklist.side_by_side import Models
from worklist.statistics import Statistics


def case_object(case: Case) -> dict[str, Any]:
    """Return a case as an object of JSON's own types; dates and times in ISO 8601."""
    return _object(case)


def dossier_object(dossier: Dossier) -> dict[str, Any]:
    """Return all of a study: case, changed identity, images, conflicts, revisions and holds."""
    return _object(dossier)


def call_object(call: Call) -> dict[str, Any]:
    """Return an association as an object of JSON's own types."""
    return _object(call)


def entry_object(entry: Entry) -> dict[str, Any]:
    """Return a line of the ledger as an object of JSON's own types."""
    return _object(entry)


def unscored_object(image: Unscored) -> dict[str, Any]:
    """Return an image that was not scored as an object of JSON's own types."""
    return _object(image)


def review_object(review: Review) -> dict[str, Any]:
    """Return a review as an object of JSON's own types."""
    return _object(review)


def account_object(account: Account) -> dict[str, Any]:
    """Return an account as an object of JSON's own types; there is no password in it."""
    return _object(account)


def token_object(token: Token) -> dict[str, Any]:
    """Return a token as an object of JSON's own types; there is no secret in it."""
    return _object(token)


def points_object(points: ModelPoints) -> dict[str, Any]:
    """Return a model and its operating points, the newest first, as an object of JSON's types."""
    return _object(points)


def delivery_object(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery with what has arrived as an object of JSON's own types."""
    return _object(delivery)


def batch_object(
    batch: Batch,
    tally: BatchTally,
    exceptions: Sequence[BatchStudy] = (),
    files_left_out: Sequence[BatchFile] = (),
) -> dict[str, Any]:
    """Return a batch, its counts and what is missing as an object of JSON's own types."""
    counts = {
        "planned": tally.planned,
        "settled": tally.settled,
        **_object(tally),
        "missing": tally.missing,
        "waiting": tally.waiting,
        "complete": is_complete(batch, tally),
    }
    return _object(batch) | {
        "counts": counts,
        "exceptions": [_object(each) for each in exceptions],
        "files_left_out": [_object(each) for each in files_left_out],
    }


def audit_object(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry of the audit as an object of JSON's own types."""
    return _object(entry)


def statistics_object(statistics: Statistics) -> dict[str, Any]:
    """Return the statistics; each share with its value and its 95 % interval."""
    return cast(dict[str, Any], _with_shares(statistics))


def models_object(models: Models) -> dict[str, Any]:
    """Return champion and shadow; each share with its value and its 95 % interval."""
    return cast(dict[str, Any], _with_shares(models))


def _with_shares(value: Any) -> Any:  # noqa: ANN401 - any part of the statistics
    if isinstance(value, Share):
        interval = value.interval or (None, None)
        counts = {"count": value.count, "of": value.of, "value": value.value}
        return counts | {"low": interval[0], "high": interval[1]}
    if isinstance(value, tuple):
        return [_with_shares(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return _value(value)
    return {
        field.name: _with_shares(getattr(value, field.name))
        for field in dataclasses.fields(value)
        if not isinstance(getattr(value, field.name), LocalStudies)
    }


def ledger_object(ledger: Ledger) -> dict[str, Any]:
    """Return the ledger's counts, and whether they add up and the night is complete."""
    counted = _object(ledger)
    counted["answers"]["total"] = ledger.answers.total
    verdict = {"adds_up": ledger.adds_up, "complete": ledger.is_complete, "failed": ledger.failed}
    return verdict | counted


def plain_object(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Return a record of figures as an object of JSON's own types."""
    return _object(record)


def _object(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of the records
    return {field.name: _value(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _value(value: Any) -> Any:  # noqa: ANN401 - any field's value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return _object(value) if dataclasses.is_dataclass(value) else value
