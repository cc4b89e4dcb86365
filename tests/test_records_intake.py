from __future__ import annotations

import datetime as dt
import threading

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from screening.domain.instance import InstanceHeader, InstanceState
from screening.domain.kept_file import KeptFile
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import OperatingPoints, Verdict
from screening.errors import RecordsError
from screening.records import outbox
from screening.records.association import (
    Caller,
    Outcome,
    close_association,
    close_lost_associations,
    open_association,
)
from screening.records.case_filter import EVERYTHING, CaseFilter
from screening.records.cases import find_case, list_cases
from screening.records.claims import claim, release
from screening.records.dossier import open_dossier
from screening.records.engine import Records
from screening.records.intake import Arrival, Intake, take_in
from screening.records.results import Result, Scorer, record_results
from screening.records.tally import tally

NOW = dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=30)
SCORER = Scorer(ModelIdentity("net", "1", "a" * 64), OperatingPoints(0.2, 0.6))
CALLER = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:11112")


def header(sop: str = "1.2.3", study: str = "1.2", **changes: object) -> InstanceHeader:
    return InstanceHeader(
        sop, "1.2.840.10008.5.1.4.1.1.1.1", study, "1.2.840.10008.1.2.1", **changes
    )  # type: ignore[arg-type]


def receive(
    records: Records, *headers: InstanceHeader, digest: str | None = None, size: int = 1000
) -> list[Intake]:
    """Take in instances over one association, each in a transaction of its own."""
    with records.begin() as session:
        association = open_association(session, CALLER, NOW)
    taken = []
    for each in headers:
        with records.begin() as session:
            taken.append(
                take_in(
                    session.connection(),
                    each,
                    KeptFile(digest or f"{hash(each.sop_instance_uid) & (1 << 255):064x}", size),
                    association_row=association,
                    now=NOW,
                    announce_at=LATER,
                )
            )
    return taken


def settle(records: Records, study_row: int, *results: Result) -> None:
    """Claim the study's images and give each the next result."""
    with records.begin() as session:
        claimed = claim(
            session,
            study_row,
            worker="w",
            now=NOW,
            lease=dt.timedelta(seconds=30),
            limit=len(results),
        )
        rows = {instance.row: result for instance, result in zip(claimed, results, strict=True)}
        record_results(session, study_row, rows, SCORER, NOW)


def test_a_new_instance_waits_and_its_study_is_to_be_announced(records: Records) -> None:
    (intake,) = receive(records, header(patient_id="P1", body_part="HAND"))
    assert intake.arrival is Arrival.NEW
    with records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
        assert (case.verdict, case.images_received, case.images_waiting) == (Verdict.WAITING, 1, 1)
        assert (case.patient_id, case.body_part) == ("P1", "HAND")
        assert outbox.due(session, LATER) == [intake.study_row]
        assert outbox.due(session, NOW) == []


def test_the_same_bytes_again_change_nothing_but_the_count(records: Records) -> None:
    first, again = receive(records, header(), header())
    assert (first.arrival, again.arrival) == (Arrival.NEW, Arrival.DUPLICATE)
    with records.read() as session:
        assert tally(session).received == 1
        assert tally(session).conflicts == 0


def test_the_size_is_of_the_file_that_came_last(records: Records) -> None:
    receive(records, header(), digest="a" * 64)
    receive(records, header(), digest="b" * 64)
    receive(records, header(), digest="a" * 64, size=1002)
    receive(records, header(), digest="b" * 64, size=1004)
    with records.read() as session:
        dossier = open_dossier(session, "1.2")
        assert dossier is not None
        assert [image.size_bytes for image in dossier.images] == [1002]
        assert [conflict.size_bytes for conflict in dossier.conflicts] == [1004]


def test_other_bytes_under_the_same_uid_are_kept_apart_and_shown(records: Records) -> None:
    receive(records, header(), digest="a" * 64)
    (other,) = receive(records, header(study="9.9"), digest="b" * 64)
    assert other.arrival is Arrival.CONFLICT
    with records.read() as session:
        assert tally(session).received == 1
        assert tally(session).conflicts == 1
        other_study = find_case(session, "9.9")
        assert other_study is not None, "the study that the other bytes name is in the list"
        assert (other_study.verdict, other_study.conflicts) == (Verdict.NOT_SCORED, 1)
        assert other_study.images_received == 0
        dossier = open_dossier(session, "1.2")
        assert dossier is not None
        assert [c.study_instance_uid for c in dossier.conflicts] == ["9.9"]
        assert dossier.images[0].digest == "a" * 64


def test_one_instance_from_many_associations_at_once_is_one_row(records: Records) -> None:
    barrier = threading.Barrier(8)
    arrivals: list[Arrival] = []

    def send() -> None:
        barrier.wait()
        arrivals.append(receive(records, header(), digest="a" * 64)[0].arrival)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(arrivals) == [Arrival.DUPLICATE] * 7 + [Arrival.NEW]
    with records.read() as session:
        assert tally(session).received == 1


def test_a_later_image_fills_what_the_first_left_out_and_overwrites_nothing(
    records: Records,
) -> None:
    receive(
        records,
        header("1", accession_number=None, body_part="HAND"),
        header("2", accession_number="A7", body_part="FOOT"),
    )
    with records.read() as session:
        (case,) = list_cases(session, EVERYTHING)
    assert (case.accession_number, case.body_part) == ("A7", "HAND")


def test_a_verdict_lives(records: Records) -> None:
    study = receive(records, header("1"))[0].study_row
    settle(records, study, Prediction(0.1))
    receive(records, header("2"), header("3"))
    settle(records, study, Prediction(0.7, 0.5, 0.25), Exclusion(Reason.TOO_SMALL, "10 x 10"))
    with records.read() as session:
        dossier = open_dossier(session, "1.2")
    assert dossier is not None
    assert [(r.verdict, r.images_scored, r.images_received) for r in dossier.revisions] == [
        (Verdict.CLEAR, 1, 1),
        (Verdict.SUSPECTED, 2, 3),
    ]
    assert dossier.case.verdict is Verdict.SUSPECTED
    assert dossier.case.score == 0.7
    assert dossier.case.reasons == {"too_small": 1}
    assert [str(i.exclusion) for i in dossier.images if i.exclusion] == ["too small: 10 x 10"]


def test_a_study_whose_images_all_have_reasons_is_not_scored(records: Records) -> None:
    study = receive(records, header())[0].study_row
    settle(records, study, Exclusion(Reason.NOT_A_RADIOGRAPH, "CT"))
    with records.read() as session:
        assert [c.verdict for c in list_cases(session, EVERYTHING)] == [Verdict.NOT_SCORED]
        assert list_cases(session) == [], "it is no flagged case"


def test_recording_twice_changes_nothing(records: Records) -> None:
    study = receive(records, header())[0].study_row
    settle(records, study, Prediction(0.7))
    with records.read() as session:
        before = open_dossier(session, "1.2")
        assert before is not None
    for result in (Prediction(0.1), Exclusion(Reason.ERROR, "late")):
        with records.begin() as session:
            record_results(session, study, {1: result}, SCORER, LATER)
    with records.read() as session:
        assert open_dossier(session, "1.2") == before


def test_the_most_urgent_case_comes_first(records: Records) -> None:
    scores = {"a": 0.7, "b": 0.95, "c": 0.3, "d": 0.05, "e": None}
    for name, score in scores.items():
        study = receive(records, header(f"i.{name}", name))[0].study_row
        if score is not None:
            settle(records, study, Prediction(score))
    with records.read() as session:
        assert [c.study_instance_uid for c in list_cases(session)] == ["b", "a", "c"]
        everything = list_cases(session, EVERYTHING)
        assert [c.study_instance_uid for c in everything] == ["b", "a", "c", "e", "d"]
        assert len(list_cases(session, limit=2)) == 2
        assert list_cases(session, CaseFilter(since=LATER)) == []


def test_a_claim_holds_until_its_lease_lapses(records: Records) -> None:
    study = receive(records, header("1"), header("2"))[0].study_row
    lease = dt.timedelta(seconds=30)

    def take(now: dt.datetime) -> list[tuple[str, int]]:
        with records.begin() as session:
            claimed = claim(session, study, worker="w", now=now, lease=lease, limit=8)
        return [(instance.sop_instance_uid, instance.attempt) for instance in claimed]

    assert take(NOW) == [("1", 1), ("2", 1)]
    assert take(NOW + lease / 2) == []
    # The worker died: whichever image killed it, each is now taken alone.
    assert take(NOW + lease) == [("1", 2)]
    assert take(NOW + lease) == [("2", 2)]


def test_an_image_that_failed_waits_and_does_not_hold_up_the_others(records: Records) -> None:
    study = receive(records, header("1"), header("2"))[0].study_row
    lease = dt.timedelta(seconds=30)
    with records.begin() as session:
        (first,) = claim(session, study, worker="w", now=NOW, lease=lease, limit=1)
        release(
            session, first.row, worker="w", error="it broke", retry_at=NOW + dt.timedelta(seconds=5)
        )
    with records.begin() as session:
        (second,) = claim(session, study, worker="w", now=NOW, lease=lease, limit=8)
    assert second.sop_instance_uid == "2"
    with records.begin() as session:
        (again,) = claim(session, study, worker="w", now=LATER, lease=lease, limit=8)
    assert (again.sop_instance_uid, again.attempt, again.last_error) == ("1", 2, "it broke")


def test_what_redis_lost_is_found_again(records: Records) -> None:
    study = receive(records, header())[0].study_row
    with records.begin() as session:
        outbox.announce_now(session, {study}, NOW)
        assert outbox.due(session, NOW) == [study]
        outbox.mark_sent(session, [study], NOW)
    with records.read() as session:
        assert outbox.due(session, LATER) == []
        assert outbox.lost(session, LATER, announced_before=NOW) == []
        assert outbox.lost(session, LATER, announced_before=LATER) == [study]
    settle(records, study, Prediction(0.5))
    with records.read() as session:
        assert outbox.lost(session, LATER, announced_before=LATER) == []


def test_an_image_that_comes_while_its_study_is_announced_is_announced_too(
    records: Records,
) -> None:
    study = receive(records, header("1"))[0].study_row
    with records.begin() as session:
        outbox.announce_now(session, {study}, NOW)
    receive(records, header("2"))  # postpones the announcement beyond the one on its way
    with records.begin() as session:
        outbox.mark_sent(session, [study], NOW)
        assert outbox.due(session, LATER) == [study]


def test_associations_are_closed_once_and_lost_ones_by_their_own_listener(
    records: Records,
) -> None:
    with records.begin() as session:
        mine = open_association(session, CALLER, NOW)
        close_association(session, mine, outcome=Outcome.RELEASED, now=NOW)
        close_association(session, mine, outcome=Outcome.ABORTED, now=LATER, explanation="broke")
        open_association(session, CALLER, NOW)
        other = Caller("PACS", "NIGHTREAD", "127.0.0.1", "elsewhere:11112")
        open_association(session, other, NOW)
        another_port = Caller("PACS", "NIGHTREAD", "127.0.0.1", f"{CALLER.listener}2")
        open_association(session, another_port, NOW)
        third_process = Caller("PACS", "NIGHTREAD", "127.0.0.1", f"{CALLER.listener}#2")
        open_association(session, third_process, NOW)
        close_lost_associations(session, CALLER.listener, LATER)
    from sqlalchemy import select

    from screening.records.schema import AssociationRow

    with records.read() as session:
        outcomes = session.scalars(select(AssociationRow.outcome).order_by(AssociationRow.id))
        assert list(outcomes) == ["released", "lost", "open", "open", "lost"]


def take_in_under_a_missing_association(records: Records, named: InstanceHeader) -> None:
    with records.begin() as session:
        kept = KeptFile("a" * 64, 1)
        take_in(session.connection(), named, kept, association_row=4711, now=NOW, announce_at=NOW)


def test_an_error_of_the_database_names_no_value(records: Records) -> None:
    named = header(patient_name="SECRET^NAME")
    with pytest.raises(RecordsError) as caught:
        take_in_under_a_missing_association(records, named)
    assert "SECRET" not in str(caught.value)
    assert "NIGHTREAD_DATABASE_URL" in str(caught.value)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),  # study
            st.integers(0, 5),  # instance
            st.integers(0, 1),  # which bytes
            st.one_of(
                st.none(),
                st.floats(0, 1).map(Prediction),
                st.sampled_from(Reason).map(Exclusion),
            ),
        ),
        max_size=12,
    )
)
def test_the_tally_always_adds_up(
    records: Records, events: list[tuple[int, int, int, Result | None]]
) -> None:
    for study, instance, content, result in events:
        uid = f"{study}.{instance}"
        (intake,) = receive(records, header(uid, str(study)), digest=f"{content:064x}")
        if result is not None:
            with records.begin() as session:
                claimed = claim(
                    session,
                    intake.study_row,
                    worker="w",
                    now=NOW,
                    lease=dt.timedelta(seconds=30),
                    limit=1,
                )
                rows = {image.row: result for image in claimed}
                record_results(session, intake.study_row, rows, SCORER, NOW)
    with records.read() as session:
        counted = tally(session)
        assert counted.received == counted.scored + counted.not_scored + counted.waiting
        for case in list_cases(session, EVERYTHING, limit=None):
            dossier = open_dossier(session, case.study_instance_uid)
            assert dossier is not None
            assert case.images_received == len(dossier.images)
            for image in dossier.images:
                has = (len(image.scores), image.exclusion is not None)
                assert (
                    has
                    == {
                        InstanceState.WAITING: (0, False),
                        InstanceState.SCORED: (1, False),
                        InstanceState.NOT_SCORED: (0, True),
                    }[image.state]
                )


def test_a_study_that_mixes_up_two_patients_says_so(records: Records) -> None:
    receive(records, header("1", patient_id="A"), header("2", patient_id="B"))
    with records.read() as session:
        dossier = open_dossier(session, "1.2")
    assert dossier is not None
    assert dossier.case.patients == 2
    assert [image.patient_id for image in dossier.images] == ["A", "B"]


def test_an_image_that_failed_is_tried_again_when_it_is_sent_again(records: Records) -> None:
    study = receive(records, header())[0].study_row
    settle(records, study, Exclusion(Reason.ERROR, "the archive was away"))
    with records.begin() as session:
        outbox.mark_sent(session, [study], LATER)
    (again,) = receive(records, header())
    assert (again.arrival, again.announce) == (Arrival.DUPLICATE, True)
    with records.read() as session:
        assert outbox.due(session, LATER) == [study]
    settle(records, study, Prediction(0.9))
    with records.read() as session:
        assert [case.verdict for case in list_cases(session)] == [Verdict.SUSPECTED]
    (third,) = receive(records, header())
    assert not third.announce, "a score is never thrown away"


def test_an_outage_is_no_attempt_at_an_image(records: Records) -> None:
    study = receive(records, header())[0].study_row
    for _ in range(5):
        with records.begin() as session:
            lease = dt.timedelta(seconds=30)
            (claimed,) = claim(session, study, worker="w", now=NOW, lease=lease, limit=8)
            assert claimed.attempt == 1
            release(session, claimed.row, worker="w", error="away", retry_at=NOW, counts=False)


def test_a_late_worker_cannot_give_back_what_is_anothers_by_now(records: Records) -> None:
    study = receive(records, header())[0].study_row
    lease = dt.timedelta(seconds=10)
    with records.begin() as session:
        (mine,) = claim(session, study, worker="a", now=NOW, lease=lease, limit=1)
    with records.begin() as session:
        (theirs,) = claim(session, study, worker="b", now=LATER, lease=lease, limit=1)
        release(session, mine.row, worker="a", error="late", retry_at=NOW)
    assert theirs.row == mine.row
    with records.begin() as session:
        assert claim(session, study, worker="c", now=LATER, lease=lease, limit=1) == []


def test_a_claim_that_lapsed_is_announced_again_however_long_the_queue(records: Records) -> None:
    study = receive(records, header())[0].study_row
    with records.begin() as session:
        outbox.announce_now(session, {study}, NOW)
        outbox.mark_sent(session, [study], NOW)
        claim(session, study, worker="w", now=NOW, lease=dt.timedelta(seconds=10), limit=1)
    long_ago = NOW - dt.timedelta(minutes=10)
    with records.read() as session:
        during = NOW + dt.timedelta(seconds=5)
        assert outbox.lost(session, during, announced_before=long_ago) == []
        assert outbox.lost(session, LATER, announced_before=long_ago) == [study]


def test_the_list_names_the_version_behind_the_score(records: Records) -> None:
    study = receive(records, header("1"))[0].study_row
    settle(records, study, Prediction(0.9))
    receive(records, header("2"))
    newer = Scorer(ModelIdentity("net", "2", "b" * 64), SCORER.points)
    with records.begin() as session:
        lease = dt.timedelta(seconds=30)
        (second,) = claim(session, study, worker="w", now=NOW, lease=lease, limit=1)
        record_results(session, study, {second.row: Prediction(0.05)}, newer, NOW)
    with records.read() as session:
        (case,) = list_cases(session)
    assert (case.score, case.model_version) == (0.9, "1")


def test_a_study_of_which_nothing_was_scored_waits_when_an_image_comes(records: Records) -> None:
    study = receive(records, header("1"))[0].study_row
    settle(records, study, Exclusion(Reason.NO_PIXEL_DATA))
    receive(records, header("2"))
    with records.read() as session:
        assert [c.verdict for c in list_cases(session, EVERYTHING)] == [Verdict.WAITING]
