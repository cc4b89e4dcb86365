"""The doctor looks at the hospital's audit repository, and at what it has not been sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from nightread.finding import Finding, fail, ok, warn
from screening.errors import NightreadError, RecordsError
from screening.settings import Settings

# A relay that runs sends within seconds.
_PATIENCE = dt.timedelta(minutes=10)


def check_audit(settings: Settings) -> Iterator[Finding]:
    """Connect to the repository without sending anything, and count what it has not been sent."""
    if not settings.audit_syslog:
        return
    from screening.auditing.syslog import require_repository

    try:
        require_repository(settings)
    except NightreadError as error:
        yield fail("audit repository", str(error))
    else:
        yield ok("audit repository", f"{settings.audit_syslog} answers, and is who it should be")
    yield from _check_lag(settings)


def _check_lag(settings: Settings) -> Iterator[Finding]:
    from nightread.database import opened
    from screening.records.audit_relay import read_lag

    try:
        with opened(settings) as records, records.read() as session:
            lag = read_lag(session)
    except RecordsError:
        return  # said already
    if lag.since is not None and dt.datetime.now(dt.UTC) - lag.since > _PATIENCE:
        yield warn(
            "audit",
            f"{lag.entries} entries wait to be sent, the oldest since {lag.since:%Y-%m-%d %H:%M} "
            "UTC: does nightread audit relay run?",
        )
    else:
        yield ok("audit", f"{lag.entries} entries wait to be sent")
