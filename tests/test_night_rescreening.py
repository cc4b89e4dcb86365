"""Another model reads what is here: old scores stay, and the books add up all the while."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from filed_cases import NOW, SCORER, file_study
from sqlalchemy import delete, select

from night.rescreening import Rescreened, rescreen
from screening.domain.instance import InstanceState
from screening.domain.lane import Lane
from screening.domain.night_batch import ARCHIVE, BatchState
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import Verdict
from screening.records.case_filter import EVERYTHING
from screening.records.cases import list_cases
from screening.records.claims import claim
from screening.records.delivery_schema import ChangedStudyRow
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.entries import read_entries
from screening.records.ledger import Ledger, read_ledger
from screening.records.located import hottest_image
from screening.records.night_batches import Batch, begin_batch, change_state, find_batch
from screening.records.night_tally import is_complete, tally_batch
from screening.records.results import Result, Scorer, record_results
from screening.records.schema import InstanceRow, OutboxRow

NEW = dataclasses.replace(SCORER, identity=ModelIdentity("densenet", "1.0.0", "b" * 64))
DAY = dt.date(2026, 2, 28)


def begin(records: Records, **question: object) -> Batch:
    asked = Rescreened(model="densenet", model_version="1.0.0", **question)  # type: ignore[arg-type]
    with records.begin() as session:
        batch = begin_batch(session, ARCHIVE, asked.model_dump(mode="json"), NOW)
    assert batch is not None
    return batch


def step(records: Records, number: int, times: int = 1) -> Batch:
    for _ in range(times):
        with records.read() as session:
            batch = find_batch(session, number)
        assert batch is not None
        rescreen(records, batch, lambda: NOW)
    with records.read() as session:
        batch = find_batch(session, number)
    assert batch is not None
    return batch


def score(records: Records, result: Result, scorer: Scorer = NEW) -> int:
    """Claim what waits as a worker does, give each the same result, and return how many it was."""
    with records.begin() as session:
        lease = dt.timedelta(minutes=1)
        claimed = claim(session, 1, worker="w", now=NOW, lease=lease, limit=100)
        for each in claimed:
            record_results(session, each.study_row, {each.row: result}, scorer, NOW)
    return len(claimed)


def announce(records: Records) -> None:
    with records.begin() as session:
        for row in session.scalars(select(OutboxRow)):
            row.sent_at = NOW


def ledger(records: Records) -> Ledger:
    with records.read() as session:
        return read_ledger(session, NOW)


def dossier(records: Records, uid: str) -> Dossier:
    with records.read() as session:
        found = open_dossier(session, uid)
    assert found is not None
    return found


def test_old_scores_stay_and_the_newest_decides(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9), Prediction(0.1))
    file_study(records, "1.2", Prediction(0.3), Exclusion(Reason.NOT_A_RADIOGRAPH, ""))
    batch = begin(records)
    assert step(records, batch.row, 3).state is BatchState.RUNNING
    assert ledger(records).images.waiting == 3, "what is no image for one is none for another"
    assert ledger(records).adds_up, ledger(records).discrepancies
    waiting = dossier(records, "1.1")
    assert (waiting.case.verdict, waiting.case.images_scored) == (Verdict.SUSPECTED, 0)
    assert waiting.images[0].score is not None, "until the new one has spoken the old one stands"
    with records.read() as session:
        lanes = session.scalars(select(InstanceRow.lane).where(InstanceRow.state == "waiting"))
        assert set(lanes) == {Lane.OVERNIGHT.value}
        assert all(each.verdict is None for each in read_entries(session) if not each.settled_at)
    step(records, batch.row)
    announce(records)
    assert score(records, Prediction(0.25)) == 3
    batch = step(records, batch.row)
    with records.read() as session:
        assert is_complete(batch, tally_batch(session, batch.row))
        hottest = hottest_image(session, "1.1")
    found = dossier(records, "1.1")
    assert hottest is not None
    assert (found.case.verdict, found.case.score) == (Verdict.DOUBTFUL, 0.25)
    assert [each.model for each in found.images[0].scores] == ["mobilenet_v2", "densenet"]
    assert [each.probability for each in found.images[0].scores] == [0.9, 0.25]
    assert found.revisions[0].verdict is Verdict.SUSPECTED
    assert ledger(records).adds_up, ledger(records).discrepancies


def test_what_the_new_model_cannot_score_is_judged_by_no_model(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9))
    batch = begin(records)
    step(records, batch.row, 3)
    announce(records)
    score(records, Exclusion(Reason.UNLIKE_TRAINING, "far away"))
    batch = step(records, batch.row)
    assert batch.state is BatchState.FINISHED
    found = dossier(records, "1.1")
    assert (found.case.verdict, found.case.score) == (Verdict.NOT_SCORED, None)
    assert found.images[0].score is None
    assert len(found.images[0].scores) == 1, "what the old one said is history, and there"
    assert ledger(records).adds_up, ledger(records).discrepancies
    with records.read() as session:
        assert hottest_image(session, "1.1") is None


def test_an_attempt_that_failed_leaves_the_old_verdict_and_is_not_complete(
    records: Records,
) -> None:
    file_study(records, "1.1", Prediction(0.95), Prediction(0.05))
    batch = begin(records)
    step(records, batch.row, 3)
    announce(records)
    score(records, Exclusion(Reason.ERROR, "MemoryError while scoring"))
    batch = step(records, batch.row, 2)
    with records.read() as session:
        tally = tally_batch(session, batch.row)
    assert (batch.state, tally.failed) == (BatchState.FINISHED, 1)
    found = dossier(records, "1.1")
    assert (found.case.verdict, found.case.score) == (Verdict.SUSPECTED, 0.95)
    assert ledger(records).adds_up, ledger(records).discrepancies
    again = begin(records)
    step(records, again.row, 3)
    assert ledger(records).images.waiting == 2, "what failed is tried again"


def test_workers_that_abstain_with_another_model_are_found_out(records: Records) -> None:
    abstains = Exclusion(Reason.UNLIKE_TRAINING, "far away")
    file_study(records, "1.1", abstains)
    batch = begin(records)
    step(records, batch.row, 3)
    announce(records)
    score(records, abstains, SCORER)
    batch = step(records, batch.row)
    with records.read() as session:
        assert tally_batch(session, batch.row).failed == 1
    again = begin(records)
    step(records, again.row, 3)
    score(records, abstains)
    again = step(records, again.row)
    with records.read() as session:
        assert is_complete(again, tally_batch(session, again.row))
    third = begin(records)
    step(records, third.row, 2)
    assert ledger(records).images.waiting == 0, "the new one has said that it abstains"


@pytest.mark.parametrize("tell", [False, True])
def test_nobody_is_told_of_old_studies_unless_asked_for(records: Records, tell: bool) -> None:
    file_study(records, "1.1", Prediction(0.9))
    with records.begin() as session:
        session.execute(delete(ChangedStudyRow))
    batch = begin(records, tell=tell)
    step(records, batch.row, 3)
    announce(records)
    score(records, Prediction(0.1))
    with records.read() as session:
        assert len(session.scalars(select(ChangedStudyRow)).all()) == tell


def test_only_what_is_asked_for_and_what_the_model_has_not_scored_is_read(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9), study_date=DAY, body_part="HAND")
    file_study(records, "1.2", Prediction(0.9), study_date=DAY, body_part="KNEE")
    file_study(records, "1.3", Prediction(0.9), study_date=dt.date(2026, 1, 1), body_part="HAND")
    file_study(records, "1.4", Prediction(0.9), study_date=DAY, body_part="HAND", scorer=NEW)
    file_study(
        records, "1.5", Exclusion(Reason.UNLIKE_TRAINING, ""), study_date=DAY, body_part="HAND"
    )
    batch = begin(records, first_day=DAY, last_day=DAY, body_parts=("HAND",))
    step(records, batch.row, 3)
    with records.read() as session:
        waiting = [
            case.study_instance_uid
            for case in list_cases(session, EVERYTHING, limit=None)
            if case.images_waiting
        ]
    assert sorted(waiting) == ["1.1", "1.5"]


def test_workers_with_another_model_are_named(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9))
    batch = begin(records)
    step(records, batch.row, 3)
    announce(records)
    assert score(records, Prediction(0.9), SCORER) == 1
    batch = step(records, batch.row)
    with records.read() as session:
        tally = tally_batch(session, batch.row)
    assert (batch.state, tally.failed) == (BatchState.FINISHED, 1)
    assert not is_complete(batch, tally)
    assert ledger(records).adds_up
    assert dossier(records, "1.1").case.score == 0.9


def test_many_studies_wait_a_few_at_a_time_and_behind_what_is_stat(records: Records) -> None:
    for number in range(70):
        file_study(records, f"1.{number}", Prediction(0.9))
    batch = begin(records)
    step(records, batch.row, 10)
    assert ledger(records).images.waiting == 50
    file_study(records, "2.1", None)
    announce(records)
    assert score(records, Prediction(0.2)) == 51
    file_study(records, "2.2", None)
    batch = step(records, batch.row)
    assert batch.last_error == "stat images are read first"
    assert ledger(records).images.waiting == 1


def test_a_batch_that_is_paused_or_cancelled_lets_nothing_more_wait(records: Records) -> None:
    file_study(records, "1.1", Prediction(0.9))
    batch = begin(records)
    step(records, batch.row)
    with records.begin() as session:
        change_state(session, batch.row, BatchState.CANCELLED, NOW)
    assert ledger(records).images.waiting == 0


@pytest.mark.parametrize("state", [InstanceState.WAITING, InstanceState.NOT_SCORED])
def test_a_score_of_what_was_never_read_again_is_still_a_contradiction(
    records: Records, state: InstanceState
) -> None:
    file_study(records, "1.1", Prediction(0.9))
    with records.begin() as session:
        session.scalars(select(InstanceRow)).one().state = state.value
    assert not ledger(records).adds_up
