"""Who may score what, for how long, and in which order."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.lane import Lane, LaneRule
from screening.records import outbox
from screening.records.association import Caller, open_association
from screening.records.claims import ClaimedInstance, claim, prolong
from screening.records.engine import Records
from screening.records.intake import take_in

NOW = dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC)
LEASE = dt.timedelta(seconds=30)


def receive(records: Records, study: str, images: int = 1, lane: Lane = Lane.STAT) -> int:
    """File a study that has been announced, and return its row."""
    with records.begin() as session:
        association = open_association(session, Caller("PACS", "US", "127.0.0.1", "h:1"), NOW)
        for number in range(images):
            header = InstanceHeader(
                f"{study}.{number}", "1.2.840.10008.5.1.4.1.1.1", study, "1.2.840.10008.1.2"
            )
            row = take_in(
                session.connection(),
                header,
                KeptFile("a" * 64, 1),
                association_row=association,
                now=NOW,
                announce_at=NOW,
                lane=lane,
            ).study_row
        outbox.mark_sent(session, [row], NOW)
    return row


def claimed(
    session: Session, study: int, worker: str = "w", now: dt.datetime = NOW, limit: int = 8
) -> list[ClaimedInstance]:
    return claim(session, study, worker=worker, now=now, lease=LEASE, limit=limit)


def test_a_fresh_study_is_not_stuck_behind_a_backlog(records: Records) -> None:
    backlog = [receive(records, f"1.2.{n}", 2, Lane.OVERNIGHT) for n in range(5)]
    fresh = receive(records, "1.3", 2)
    with records.begin() as session:
        first = claimed(session, backlog[0], limit=4)
        assert [item.study_row for item in first] == [fresh, fresh, backlog[0], backlog[0]]
        assert [item.study_row for item in claimed(session, backlog[0], limit=3)] == [
            backlog[1],
            backlog[1],
            backlog[2],
        ]


def test_a_batch_is_filled_from_other_studies_that_were_announced(records: Records) -> None:
    first, second = receive(records, "1.2"), receive(records, "1.3")
    with records.begin() as session:
        outbox.postpone(session.connection(), second, NOW)  # a further image is on its way
        assert [item.study_row for item in claimed(session, first)] == [first]
    with records.begin() as session:
        assert [item.study_row for item in claimed(session, second)] == [second]


def test_what_a_dead_worker_held_goes_before_the_backlog_and_does_not_thin_it_out(
    records: Records,
) -> None:
    study = receive(records, "1.2", 40)
    with records.begin() as session:
        dead = [item.row for item in claimed(session, study, "dead")]
    later = NOW + LEASE
    for row in dead:
        with records.begin() as session:
            (again,) = claimed(session, study, "next", later)
            assert (again.row, again.attempt) == (row, 2)
    with records.begin() as session:
        assert len(claimed(session, study, "next", later)) == 8


def test_a_lease_that_is_prolonged_does_not_lapse(records: Records) -> None:
    study = receive(records, "1.2", 2)
    late = NOW + LEASE
    with records.begin() as session:
        held = [item.row for item in claimed(session, study)]
    with records.begin() as session:
        assert prolong(session, held, worker="w", until=late + LEASE) == 2
    with records.begin() as session:
        assert claimed(session, study, "other", late) == []
        assert len(claimed(session, study, "other", late + LEASE)) == 1, "one that failed is alone"


def test_a_lease_that_has_passed_to_another_is_not_taken_back(records: Records) -> None:
    study = receive(records, "1.2")
    with records.begin() as session:
        held = [item.row for item in claimed(session, study)]
    with records.begin() as session:
        assert len(claimed(session, study, "other", NOW + LEASE)) == 1
        assert prolong(session, held, worker="w", until=NOW + 9 * LEASE) == 0


def test_the_lane_of_a_study_is_that_of_its_most_urgent_image(records: Records) -> None:
    fresh, old = receive(records, "1.2"), receive(records, "1.3", lane=Lane.OVERNIGHT)
    with records.read() as session:
        assert outbox.lanes(session, [fresh, old]) == {fresh: Lane.STAT, old: Lane.OVERNIGHT}


@pytest.mark.parametrize(
    ("sender", "study_date", "lane"),
    [
        ("XR1", dt.date(2026, 3, 1), Lane.STAT),
        ("XR1", dt.date(2026, 2, 28), Lane.STAT),
        ("XR1", dt.date(2026, 2, 27), Lane.OVERNIGHT),
        ("XR1", dt.date(2027, 1, 1), Lane.STAT),
        ("XR1", None, Lane.STAT),
        ("ARCHIVE", None, Lane.OVERNIGHT),
        ("ARCHIVE", dt.date(2026, 3, 1), Lane.OVERNIGHT),
    ],
)
def test_what_is_old_or_comes_from_the_archive_is_backlog(
    sender: str, study_date: dt.date | None, lane: Lane
) -> None:
    assert LaneRule(["ARCHIVE"], 2).lane(sender, study_date, dt.date(2026, 3, 1)) is lane
