"""The report of the night, by e-mail, each morning once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import structlog

from night.schedule import moments_due
from night.sources import Report
from screening.domain.night_batch import pause_after
from screening.errors import DeliveryError
from screening.records.engine import Records
from screening.records.mornings import newest_morning, settle_morning, take_morning

log = structlog.get_logger(__name__)

_LEASE = dt.timedelta(minutes=10)
# After so long nobody needs it any more.
_PATIENCE = dt.timedelta(hours=12)
_PUNCTUAL = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Letter:
    """A report as it is sent.

    Attributes
    ----------
    subject, text
        Without patients.
    page
        HTML with patients and pictures.
    """

    subject: str
    text: str
    page: str


Compose = Callable[[dt.datetime, bool], Letter]
"""Makes the report of the night before a moment; drawing its page only if
asked for."""


def send_reports(
    records: Records, reports: tuple[Report, ...], compose: Compose, now: dt.datetime
) -> int:
    """Send what is due and was not sent yet, and return how many; safe to do at any time.

    Of an entry that was never at work the first report is that of its next moment. What cannot be
    sent is tried again with growing pauses, for half a day.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    sent = 0
    for report in reports:
        zone = ZoneInfo(report.timezone)
        moment = next(moments_due(report.at, zone, now))
        with records.read() as session:
            is_new = newest_morning(session, report.name) is None
        if now - moment > (_PUNCTUAL if is_new else _PATIENCE):
            continue
        with records.begin() as session:
            morning = take_morning(session, report.name, moment.date(), now, _LEASE)
        if morning is None:
            continue
        try:
            letter = compose(moment, report.with_patients)
            refused = report.send(_message(letter, report, moment, now))
        except Exception as error:
            # Whatever it is, a report that is late is better than none.
            said = str(error) if isinstance(error, DeliveryError) else type(error).__name__
            log.warning("report_not_sent", report=report.name, error=said)
            again = now + pause_after(morning.attempts)
            with records.begin() as session:
                settle_morning(session, morning, due_at=again, error=said)
            continue
        error_of_some = f"{refused} addresses were refused" if refused else None
        with records.begin() as session:
            settle_morning(session, morning, sent_at=now, error=error_of_some)
        log.info("report_sent", report=report.name, refused=refused)
        sent += 1
    return sent


def _message(letter: Letter, report: Report, moment: dt.datetime, now: dt.datetime) -> EmailMessage:
    message = EmailMessage()
    # The same for the same morning: who gets it twice can tell.
    message["Message-ID"] = f"<report.{report.name}.{moment:%Y%m%d}@nightread>"
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message.set_content(letter.text)
    if report.with_patients:
        message.add_attachment(letter.page, subtype="html", filename="night.html")
    return message
