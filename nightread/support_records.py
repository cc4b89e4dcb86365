"""What is on record, as a support bundle tells it: counted."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightread.own_words import OwnWords
    from screening.records.engine import Records
    from screening.settings import Settings

_KINDS = 25


@contextmanager
def _records(settings: Settings) -> Iterator[Records]:
    """Open the records, whatever their schema: what can be told of another one is told."""
    from screening.errors import RecordsError
    from screening.records.engine import Records

    if not settings.database_url and not (settings.data_dir / "nightread.sqlite").is_file():
        raise RecordsError("there are no records in NIGHTREAD_DATA_DIR")
    records = Records(settings.records_url)
    try:
        yield records
    finally:
        records.close()


def told_records(settings: Settings) -> dict[str, object]:
    """Return the schema, rows of each table, and rows by each word of a closed list."""
    from screening.records.census import take_census

    with _records(settings) as records:
        schema = dataclasses.asdict(records.schema())
        with records.read() as session:
            return {"schema": schema} | dataclasses.asdict(take_census(session))


def told_associations(settings: Settings) -> dict[str, object]:
    """Return associations by the caller's AE title and by how they ended."""
    from screening.records.census import stored_by_title
    from worklist.plain_text import plain

    with _records(settings) as records, records.read() as session:
        found = stored_by_title(session)
    return {plain(title)[:16]: counts for title, counts in found.items()}


def told_ledger(settings: Settings, own_words: OwnWords) -> dict[str, object]:
    """Return the ledger over everything that ever came."""
    from screening.records.ledger import read_ledger
    from worklist.objects import ledger_object

    with _records(settings) as records, records.read() as session:
        found = ledger_object(read_ledger(session, dt.datetime.now(dt.UTC)))
    return found | {"discrepancies": [own_words.only(each) for each in found["discrepancies"]]}


def told_audit(settings: Settings) -> dict[str, object]:
    """Return whether the audit's chain is whole, and its last digest."""
    from screening.records.audit import verify

    with _records(settings) as records, records.read() as session:
        state = verify(session)
    return {"whole": state.is_whole} | dataclasses.asdict(state)


def told_errors(settings: Settings, own_words: OwnWords) -> dict[str, object]:
    """Return what went wrong last, by where it is noted: each kind once, with its count."""
    from screening.records.census import newest_errors

    with _records(settings) as records, records.read() as session:
        found = newest_errors(session)
    return {
        place: [
            {"said": said, "times": times}
            for said, times in Counter(map(own_words.only, texts)).most_common(_KINDS)
        ]
        for place, texts in found.items()
    }
