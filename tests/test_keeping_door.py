"""What a rule removed, at the door: asked for, and sent again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from conftest import wait_until
from filed_cases import SCORER
from kept_studies import Shelf
from sqlalchemy import delete, select
from test_listener_commitment import Asker, failures, named
from test_listener_store import Door, radiograph

from screening.domain.prediction import Prediction
from screening.domain.retention import Policy, Rule
from screening.records.claims import claim
from screening.records.keeping_schema import RemovalRow
from screening.records.outbox import OutboxRow
from screening.records.rescreening import Wanted, put_back_study, studies_lacking
from screening.records.result_schema import ScoreRow
from screening.records.results import record_results
from screening.records.schema import InstanceRow
from screening.settings import Settings

POLICY = Policy((Rule("all", 30),), "d" * 64)


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    opened = Door(settings)
    yield opened
    opened.close()


def score(door: Door, now: dt.datetime, model: str = "mobilenet_v2") -> int:
    """Score what waits as a worker does, and return how many it was."""
    import dataclasses

    scorer = dataclasses.replace(SCORER, identity=dataclasses.replace(SCORER.identity, name=model))
    lease = dt.timedelta(minutes=1)
    with door.records.begin() as session:
        study = session.scalars(select(InstanceRow.study_row).limit(1)).one()
        claimed = claim(session, study, worker="w", now=now, lease=lease, limit=10)
        for each in claimed:
            assert door.archive.open_path(each.digest).is_file()
            record_results(session, each.study_row, {each.row: Prediction(0.1)}, scorer, now)
    return len(claimed)


def test_what_is_gone_is_not_committed_to_and_is_stored_and_scored_when_it_comes_again(
    door: Door,
) -> None:
    film = radiograph("1.2.3")
    assert door.send(film) == [0x0000]
    shelf = Shelf(door.records, door.archive, POLICY)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    assert shelf.run(later).files == 0, "nobody has scored it"
    assert score(door, later) == 1
    assert shelf.run(later).files == 1
    assert shelf.files() == set()

    asker = Asker(door)
    asker.ask_and_wait(named(film))
    ((_, report),) = asker.reports
    assert failures(report) == {"1.2.3": 0x0112}

    door.due.clear()
    assert door.send(film) == [0x0000]
    assert len(shelf.files()) == 1
    assert shelf.gone() == set()
    asker.ask_and_wait(named(film), transaction="1.9.2")
    assert "FailedSOPSequence" not in asker.reports[-1][1]

    with door.records.begin() as session:
        wanted = Wanted(("densenet", "1"))
        ((row, *_),) = studies_lacking(session, wanted, after=0, limit=9)
        assert row == shelf.row("1.2")
    put_back(door, later)
    assert score(door, later, "densenet") == 1
    with door.records.read() as session:
        assert session.scalars(select(ScoreRow.model_name).order_by(ScoreRow.id)).all() == [
            "mobilenet_v2",
            "densenet",
        ]


def put_back(door: Door, now: dt.datetime) -> None:
    """Let the image wait for another model, as a batch of the archive does."""
    from screening.domain.night_batch import ARCHIVE
    from screening.records import night_batches, night_studies

    with door.records.begin() as session:
        batch = night_batches.begin_batch(session, ARCHIVE, {}, now)
        assert batch is not None
        night_studies.plan_studies(session, batch, [("1.2", None)], now)
        study = night_studies.take_study(session, batch.row, now, dt.timedelta(minutes=1))
        assert study is not None
        assert put_back_study(session, study, ("densenet", "1"), now) == 1


def test_a_sender_is_refused_whose_bytes_went_at_this_moment(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = radiograph("1.2.3")
    door.send(film)
    now = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    score(door, now)
    Shelf(door.records, door.archive, POLICY).run(now)
    keep = door.archive.keep

    def keep_and_lose(file):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kept = keep(file)
        door.archive.remove(kept.digest)
        return kept

    monkeypatch.setattr(door.archive, "keep", keep_and_lose)
    door.due.clear()
    assert door.send(film) == [0xA700]
    monkeypatch.undo()
    with door.records.read() as session:
        assert session.scalars(select(RemovalRow.returned_at)).all() == [None]
    assert door.send(film) == [0x0000]
    with door.records.begin() as session:
        session.execute(delete(OutboxRow))
        assert session.scalars(select(RemovalRow.returned_at)).one() is not None
    wait_until(lambda: len(Shelf(door.records, door.archive).files()) == 1, 5, "it is there")
