"""The doctor looks at the database, and at what waits in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightread.finding import Finding, fail, ok, warn
from screening.errors import NightreadError
from screening.settings import Settings

if TYPE_CHECKING:
    from screening.records.engine import Records

# A study that is in order is scored within minutes of its last image.
_PATIENCE = dt.timedelta(minutes=15)

# A third of the shortest lease that is of use.
_CLOCKS_APART = dt.timedelta(seconds=2)


def check_records(settings: Settings) -> Iterator[Finding]:
    """Look whether the database answers with our schema, and how long the oldest image waits."""
    from screening.records.engine import Records

    file = settings.data_dir / "nightread.sqlite"
    if not settings.database_url and not file.exists():
        yield ok("database", f"{file} will be made by nightread up")
        return
    try:
        records = Records(settings.records_url)
        try:
            records.check_schema()
            kind = records.engine.dialect.name
            yield ok("database", f"{kind} answers, schema {records.schema().newest}")
            yield _check_clock(records)
            yield _check_waiting(records)
        finally:
            records.close()
    except NightreadError as error:
        yield fail("database", str(error))


def _check_clock(records: Records) -> Finding:
    """Compare our clock with the database's: claims lapse by the clock of each host."""
    apart = abs(records.clock() - dt.datetime.now(dt.UTC))
    detail = f"{apart.total_seconds():.1f} s from the database's"
    if apart > _CLOCKS_APART:
        return warn("clock", f"{detail}: have both follow NTP, or images are scored twice in vain")
    return ok("clock", detail)


def _check_waiting(records: Records) -> Finding:
    from screening.records.tally import tally
    from worklist.signs import span_sign

    with records.read() as session:
        counts = tally(session)
    if counts.oldest_waiting_since is None:
        return ok("waiting images", "none")
    waited = dt.datetime.now(dt.UTC) - counts.oldest_waiting_since
    detail = f"{counts.waiting}, the oldest for {span_sign(waited)}"
    if waited > _PATIENCE:
        return warn("waiting images", f"{detail}: does nightread up or nightread work run?")
    return ok("waiting images", detail)
