from __future__ import annotations

import datetime as dt
import itertools
import tracemalloc
from pathlib import Path

import pytest
from busy_night import BusyNight, now
from filed_cases import NOW, file_study
from sqlalchemy import delete, insert, update

import migrations
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.association import (
    Caller,
    Outcome,
    StoreCount,
    close_association,
    count_refusals,
    count_store,
    open_association,
    reject_association,
)
from screening.records.calls import list_calls
from screening.records.engine import Records
from screening.records.entries import read_entries
from screening.records.ledger import Ledger, read_ledger
from screening.records.result_schema import ExclusionRow, ScoreRow
from screening.records.schema import AssociationRow, InstanceRow, OutboxRow

LATER = NOW + dt.timedelta(hours=2)
CALLER = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:11112")


def ledger(records: Records, since: dt.datetime | None = None) -> Ledger:
    with records.read() as session:
        return read_ledger(session, LATER, since)


def test_a_night_is_counted_from_the_association_to_the_verdict(records: Records) -> None:
    results = [Prediction(0.9), Exclusion(Reason.TOO_SMALL), Exclusion(Reason.ERROR), None]
    file_study(records, "1.2", *results)
    with records.begin() as session:
        row = open_association(session, CALLER, NOW)
        count_refusals(session, row, "0xA700 no room")
        count_store(session.connection(), row, StoreCount.DUPLICATES)
        close_association(session, row, outcome=Outcome.ABORTED, now=NOW, explanation="it broke")
        reject_association(session, CALLER, NOW, "not among NIGHTREAD_CALLING_AE_TITLES")
    found = ledger(records)
    images = found.images
    assert (images.received, images.scored, images.not_scored, images.waiting) == (4, 1, 2, 1)
    assert images.reasons == {"too_small": 1, "error": 1}
    assert found.failed == 1
    assert LATER - images.oldest_waiting_since == dt.timedelta(hours=2)  # type: ignore[operator]
    assert (found.answers.stored, found.answers.refused, found.answers.duplicates) == (4, 1, 1)
    assert found.answers.total == 6
    assert found.associations == {"open": 1, "aborted": 1, "rejected": 1}
    assert found.adds_up
    assert not found.is_complete


def test_an_empty_ledger_adds_up(records: Records) -> None:
    found = ledger(records)
    assert found.adds_up
    assert found.is_complete
    assert (found.images.received, found.answers.total) == (0, 0)


def test_an_association_over_the_moment_is_split_by_it(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9), now=NOW)
    file_study(records, "1.2", None, now=LATER)
    with records.begin() as session:
        session.execute(update(AssociationRow).values(opened_at=NOW, closed_at=LATER))
        session.execute(update(InstanceRow).values(association_row=1))
        session.execute(update(AssociationRow).where(AssociationRow.id == 1).values(stored=2))
        session.execute(update(AssociationRow).where(AssociationRow.id == 2).values(stored=0))
    found = ledger(records, NOW + dt.timedelta(hours=1))
    assert found.adds_up, found.discrepancies
    assert (found.images.received, found.answers.stored, found.stored_earlier) == (1, 2, 1)


def test_what_waits_from_before_makes_the_night_incomplete(records: Records) -> None:
    file_study(records, "1.1", None, now=NOW)
    file_study(records, "1.2", Prediction(0.9), now=LATER)
    found = ledger(records, LATER)
    assert (found.images.received, found.images.waiting, found.waiting_earlier) == (1, 0, 1)
    assert found.images.oldest_waiting_since == NOW
    assert found.adds_up
    assert not found.is_complete


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (delete(ScoreRow), "of the images marked as scored, 1 have no score and no reason"),
        (delete(ExclusionRow), "1 images are not scored, and there are 0 reasons"),
        (
            update(InstanceRow).where(InstanceRow.state == "waiting").values(state="scored"),
            "of the images marked as scored, 1 have no score and no reason",
        ),
        (
            update(InstanceRow).where(InstanceRow.state == "scored").values(state="lost"),
            "3 images were received, and 2 are scored, not scored or wait",
        ),
        (
            update(AssociationRow).values(stored=4),
            "1 associations answered another number of images as kept",
        ),
        (update(AssociationRow).values(stored=2), "there are rows that came by them: associations"),
        (delete(OutboxRow), "1 images wait, and no worker was or will be told"),
    ],
    ids=["score", "reason", "state", "unknown", "more", "fewer", "outbox"],
)
@pytest.mark.parametrize("since", [None, NOW], ids=["ever", "since"])
def test_what_is_lost_is_named(
    records: Records, tamper: object, says: str, since: dt.datetime | None
) -> None:
    file_study(records, "1.2", Prediction(0.9), Exclusion(Reason.TOO_SMALL), None)
    assert ledger(records, since).adds_up
    with records.begin() as session:
        session.execute(tamper)  # type: ignore[call-overload]
    found = ledger(records, since)
    assert not found.adds_up
    assert any(says in sentence for sentence in found.discrepancies), found.discrepancies


def test_an_image_that_vanished_is_missed(records: Records) -> None:
    file_study(records, "1.2", None, None)
    with records.begin() as session:
        session.execute(delete(InstanceRow).where(InstanceRow.sop_instance_uid == "1.2.1"))
    assert "associations 1" in ledger(records).discrepancies[0]


def test_it_adds_up_at_every_moment_of_a_busy_night(records: Records) -> None:
    begun = now()
    seen: list[Ledger] = []
    moments = itertools.cycle([None, begun])

    def watch() -> None:
        since = next(moments)
        # The middle of the night moves on: associations lie over it.
        chosen = since and begun + (now() - begun) / 2
        found = ledger(records, chosen)
        assert found.adds_up, found.discrepancies
        assert found.stored_earlier >= 0
        seen.append(found)

    night = BusyNight(records)
    night.run(watch)
    found = ledger(records)
    assert found.adds_up, found.discrepancies
    assert found.answers.stored == night.answers["new"] == found.images.received
    assert found.answers.duplicates == night.answers["duplicate"]
    assert found.answers.conflicts == night.answers["conflict"]
    assert found.answers.refused == night.answers["refused"]
    assert 0 < found.images.conflicts <= found.answers.conflicts
    assert found.images.scored > 0
    assert found.failed > 0
    assert found.associations == {"released": 15, "rejected": 15}
    assert len({counted.images.received for counted in seen if counted.since is None}) > 2


def test_every_instance_is_a_line_without_its_patient(records: Records) -> None:
    file_study(
        records, "1.2", Prediction(0.9), Exclusion(Reason.TOO_SMALL), None, patient_name="DOE^JANE"
    )
    with records.read() as session:
        scored, excluded, waiting = read_entries(session)
    assert (scored.sop_instance_uid, scored.study_instance_uid) == ("1.2.1", "1.2")
    assert (scored.association, scored.received_at, len(scored.digest)) == (1, NOW, 64)
    assert (scored.state, scored.verdict, scored.probability) == ("scored", "suspected", 0.9)
    assert (scored.reason, scored.settled_at) == (None, NOW)
    assert (excluded.verdict, excluded.reason, excluded.settled_at) == (None, "too_small", NOW)
    assert (waiting.state, waiting.verdict, waiting.reason) == ("waiting", None, None)
    assert waiting.settled_at is None
    assert "DOE" not in str(scored)


def test_of_several_scores_the_newest_counts_and_the_line_is_one(records: Records) -> None:
    file_study(records, "1.2", Prediction(0.9))
    other = {
        "instance_row": 1,
        "model_name": "other",
        "model_version": "2",
        "model_digest": "b" * 64,
        "probability": 0.1,
        "verdict": "clear",
        "high_sensitivity": 0.2,
        "high_specificity": 0.6,
        "scored_at": LATER,
    }
    with records.begin() as session:
        session.execute(insert(ScoreRow).values(other))
    with records.read() as session:
        (entry,) = read_entries(session)
    assert (entry.verdict, entry.probability, entry.settled_at) == ("clear", 0.1, LATER)
    assert ledger(records).adds_up


def test_lines_may_begin_at_a_moment(records: Records) -> None:
    file_study(records, "1.1", None, now=NOW)
    file_study(records, "1.2", None, now=LATER)
    with records.read() as session:
        assert [entry.study_instance_uid for entry in read_entries(session, LATER)] == ["1.2"]


def test_lines_are_not_held_in_memory(tmp_path: Path) -> None:
    records = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    migrations.upgrade(records)
    file_study(records, "1.2", None)
    with records.begin() as session:
        first = session.get_one(InstanceRow, 1)
        same = {
            column.name: getattr(first, column.name)
            for column in InstanceRow.__table__.columns
            if column.name != "id"
        }
        copies = [same | {"sop_instance_uid": f"1.3.{n}"} for n in range(30_000)]
        session.execute(insert(InstanceRow), copies)
    del copies
    with records.read() as session:
        tracemalloc.start()
        count = sum(1 for _ in read_entries(session))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    records.close()
    assert count == 30_001
    assert peak < 8e6, "30,000 lines are about 40 MB"


def test_calls_are_listed_newest_first_and_the_refused_alone(records: Records) -> None:
    with records.begin() as session:
        for minute, outcome in enumerate(Outcome):
            moment = NOW + dt.timedelta(minutes=minute)
            if outcome is Outcome.REJECTED:
                reject_association(session, CALLER, moment, "not admitted")
                continue
            row = open_association(session, CALLER, moment)
            if outcome is not Outcome.OPEN:
                close_association(session, row, outcome=outcome, now=moment)
        row = open_association(session, CALLER, LATER)
        count_refusals(session, row, "0xA700 no room")
        close_association(session, row, outcome=Outcome.RELEASED, now=LATER)
    with records.read() as session:
        everything = list_calls(session)
        refused = list_calls(session, refused=True)
        assert len(list_calls(session, limit=2)) == 2
        assert [call.outcome for call in list_calls(session, since=LATER)] == ["released", "open"]
    assert [call.outcome for call in everything] == [
        *("released", "lost", "rejected", "aborted", "released", "open")
    ]
    assert [call.outcome for call in refused] == ["released", "lost", "rejected", "aborted"]
    assert refused[0].last_refusal == "0xA700 no room"
    for call in refused[1:]:
        assert call.explanation, "each is explained, even where nobody wrote why"
