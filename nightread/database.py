"""The records, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from screening.errors import RecordsError

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Records]:
    """Open the records to read them.

    Raises
    ------
    RecordsError
        If there are none, they are of another release, or the database does not answer.
    """
    from screening.records.engine import Records

    file = settings.data_dir / "nightread.sqlite"
    if not settings.database_url and not file.is_file():
        raise RecordsError(
            f"there are no records in {settings.data_dir}: start nightread up first, or name the "
            "folder of the running one in NIGHTREAD_DATA_DIR"
        )
    records = Records(settings.records_url)
    try:
        records.check_schema()
        yield records
    finally:
        records.close()
