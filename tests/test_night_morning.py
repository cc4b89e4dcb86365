"""The report by e-mail: each morning once, tried again, and without patients unless asked for."""

from __future__ import annotations

import datetime as dt

import pytest
from mail_box import Mailbox, mailbox

from night.morning import Letter, send_reports
from night.sources import Report
from screening.records.engine import Records

LETTER = Letter("Night of 2026-06-10: complete", "12 studies", "<p>DOE, JANE</p>")


def report(box: Mailbox, **changes: object) -> Report:
    given: dict[str, object] = {
        "name": "team",
        "at": "30 6 * * *",
        "host": "127.0.0.1",
        "port": box.port,
        "starttls": False,
        "sender": "nightread@hospital.org",
        "to": ["anna@hospital.org"],
    }
    return Report.model_validate(given | changes)


def at(day: int, hour: int, minute: int = 30) -> dt.datetime:
    return dt.datetime(2026, 6, day, hour, minute, tzinfo=dt.UTC)


def compose(moment: dt.datetime, with_page: bool) -> Letter:
    assert f"{moment.astimezone(dt.UTC):%H:%M}" == "06:30", "of the morning, however late it is"
    return LETTER if with_page else Letter(LETTER.subject, LETTER.text, "")


def test_it_goes_out_each_morning_once(records: Records) -> None:
    with mailbox() as box:
        chosen = (report(box),)
        assert send_reports(records, chosen, compose, at(10, 12)) == 0, "its first is to come"
        for day in (11, 12):
            assert send_reports(records, chosen, compose, at(day, 6, 31)) == 1
            assert send_reports(records, chosen, compose, at(day, 6, 32)) == 0
        assert send_reports(records, chosen, compose, at(14, 20)) == 0, "nobody needs it any more"
        assert send_reports(records, chosen, compose, at(15, 9)) == 1, "it was late"
    assert len(box.came) == 3
    assert box.came[0]["Subject"] == LETTER.subject
    assert "JANE" not in str(box.came[0])


def test_a_server_that_is_away_is_tried_again(records: Records) -> None:
    with mailbox() as box:
        chosen = (report(box, with_patients=True),)
        box.refuses = True
        assert send_reports(records, chosen, compose, at(11, 6)) == 0
        box.refuses = False
        assert send_reports(records, chosen, compose, at(11, 6)) == 0, "not at once"
        assert send_reports(records, chosen, compose, at(11, 6, 31)) == 1
    (message,) = box.came
    text, page = message.get_payload()  # type: ignore[misc]
    assert "12 studies" in str(text)
    assert page.get_filename() == "night.html"  # type: ignore[union-attr]
    assert "JANE" in page.get_payload(decode=True).decode()  # type: ignore[union-attr]


def test_a_server_beyond_this_machine_is_talked_to_over_tls() -> None:
    with mailbox() as box, pytest.raises(ValueError, match="this machine alone"):
        report(box, host="mail.hospital")


def test_what_a_library_throws_is_tried_again(records: Records) -> None:
    def broken(*_: object) -> Letter:
        raise OSError("no room for DOE^JANE")

    with mailbox() as box:
        chosen = (report(box),)
        assert send_reports(records, chosen, broken, at(11, 6)) == 0
        assert send_reports(records, chosen, compose, at(11, 6, 31)) == 1
    assert box.came[0]["Message-ID"] == "<report.team.20260611@nightread>"
