"""Pixels go when a rule lets them, and never before; the record stays."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filed_cases import NOW
from kept_studies import ADMIN, LATER, POLICY, Shelf, digest_of
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from night.rescreening import Rescreened
from pacs.results.screened import open_screened
from screening.archive.folder_archive import FolderArchive
from screening.domain.account import Role
from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.night_batch import ARCHIVE, BatchState
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.retention import Hindrance, Policy, Rule
from screening.domain.review import Opinion
from screening.errors import ArchiveAwayError, ArchiveError, ClockError, HoldError
from screening.records import audit, deliveries, night_batches, night_studies, users
from screening.records.adoption import adopt
from screening.records.archived import archived_files
from screening.records.association import Caller, open_association
from screening.records.changes import changed_studies
from screening.records.delivery_schema import ChangedStudyRow, DeliveryRow
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.forgetting import decide, finish, unfinished
from screening.records.holds import place_hold, release_hold
from screening.records.intake import take_in
from screening.records.keeping_schema import RemovalRow
from screening.records.ledger import Ledger, read_ledger
from screening.records.located import hottest_image, locate_image, newest_heatmap
from screening.records.rescreening import Wanted, studies_lacking
from screening.records.retention import judge
from screening.records.retry import find_unscored
from screening.records.reviews import add_review
from screening.records.schema import ConflictRow, InstanceRow

DAY = dt.timedelta(days=1)


@pytest.fixture
def shelf(records: Records, tmp_path: Path) -> Shelf:
    return Shelf(records, FolderArchive(tmp_path / "archive"))


def dossier(shelf: Shelf, uid: str) -> Dossier:
    with shelf.records.read() as session:
        found = open_dossier(session, uid)
    assert found is not None
    return found


def read(shelf: Shelf) -> Ledger:
    with shelf.records.read() as session:
        return read_ledger(session, LATER)


def send_again(shelf: Shelf, uid: str, now: dt.datetime, number: int = 1) -> None:
    """Keep the bytes of an image once more and file them, as the listener does."""
    with shelf.records.begin() as session:
        caller = Caller("PACS", "NIGHTREAD", "127.0.0.1", "here:1")
        association = open_association(session, caller, now)
        shelf.write(digest_of(uid, number))
        header = InstanceHeader(
            f"{uid}.{number}", "1.2.840.10008.5.1.4.1.1.1.1", uid, "1.2.840.10008.1.2"
        )
        take_in(
            session.connection(),
            header,
            KeptFile(digest_of(uid, number), 1000),
            association_row=association,
            now=now,
            announce_at=now,
            is_there=shelf.archive.holds,
        )


def test_each_verdict_goes_at_its_own_time_and_what_no_rule_names_stays(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1), Prediction(0.05))
    shelf.file("1.2", Prediction(0.9))
    shelf.file("1.3", Exclusion(Reason.NOT_A_RADIOGRAPH, ""))
    assert shelf.run(NOW + 30 * DAY - dt.timedelta(seconds=1)).files == 0
    gone = shelf.run()
    assert str(gone) == "clear: 1 study, 2 files, 2000 bytes"
    assert [shelf.has(uid) for uid in ("1.1", "1.2", "1.3")] == [False, True, True]
    assert shelf.run(NOW + 300 * DAY).by_rule.keys() == {"flagged"}
    assert shelf.run(NOW + 9000 * DAY).files == 0, "no rule speaks of what was not scored"
    assert shelf.files() == {digest_of("1.3")}


def test_of_several_rules_the_longest_holds(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    rules = Rule("a", 10), Rule("b", 20), Rule("c", 15)
    assert shelf.run(NOW + 19 * DAY, Policy(rules, "")).files == 0
    assert list(shelf.run(NOW + 20 * DAY, Policy(rules, "")).by_rule) == ["b"]
    shelf.file("1.2", Prediction(0.1))
    assert shelf.run(NOW + 9000 * DAY, Policy((*rules, Rule("d", None)), "")).files == 0


def test_without_rules_everything_is_kept(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    assert shelf.run(NOW + 9000 * DAY, Policy()).files == 0
    assert shelf.has("1.1")


def test_a_look_changes_nothing(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1), Prediction(0.2))
    shelf.file("1.2", None)
    before = shelf.files()
    outlook = shelf.look()
    assert dataclasses.astuple(outlook.due["clear"]) == (0, 0, 0), "one image is doubtful"
    outlook = shelf.look(NOW + 300 * DAY)
    assert dataclasses.astuple(outlook.due["flagged"]) == (1, 2, 2000)
    assert (outlook.kept_files, outlook.kept_bytes) == (3, 3000)
    assert shelf.files() == before
    assert shelf.gone() == set()


def test_the_record_stays_and_says_when_and_by_which_rule(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.add_heatmap("1.1")
    before = dossier(shelf, "1.1").images[0]
    shelf.run()
    image = dossier(shelf, "1.1").images[0]
    assert str(image.removal) == "pixels removed on 2026-04-01 by rule clear"
    assert image.score is not None
    assert before.score is not None
    assert image.score.heatmap is None, "a picture drawn over pixels goes with them"
    assert dataclasses.replace(image.score, heatmap=before.score.heatmap) == before.score
    with shelf.records.read() as session:
        located = locate_image(session, "1.1.1")
        hottest = hottest_image(session, "1.1")
        assert newest_heatmap(session, "1.1.1") is None
        assert list(archived_files(session)) == [], "it is not missing"
    ledger = read(shelf)
    assert located is not None
    assert hottest is not None
    assert located.removal == hottest.removal == image.removal
    assert hottest.heat is None
    assert (ledger.discrepancies, ledger.removed, ledger.images.scored) == ((), {"clear": 1}, 1)
    study = open_screened(dossier(shelf, "1.1"), shelf.archive)
    assert study.removal == image.removal


def test_who_asked_and_by_which_rules_is_in_the_audit(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.run()
    shelf.run()
    with shelf.records.read() as session:
        whole, one = audit.read_audit(session)
        assert audit.verify(session).is_whole
    assert (one.event, one.actor, one.study_instance_uid) == (
        "pixels_removed",
        "console:admin",
        "1.1",
    )
    assert one.detail == f"1 file, 1000 bytes by rule clear: for 30 days; rules {'d' * 16}"
    assert whole.detail == f"clear: 1 study, 1 file, 1000 bytes; rules {'d' * 16}"


def waits(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1), None)


def failed(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1), Exclusion(Reason.ERROR, "at every attempt"))


def held(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1))
    with shelf.records.begin() as session:
        place_hold(session, uid, "court", "admin", NOW)


def due_at_a_place(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1))
    tell(shelf, uid, "due")


def dead_at_a_place(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1))
    tell(shelf, uid, "dead")


def not_planned(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1))


def in_batch(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1))
    with shelf.records.begin() as session:
        batch = night_batches.begin_batch(session, ARCHIVE, {}, NOW)
        assert batch is not None
        night_studies.plan_studies(session, batch, [(uid, None)], NOW)


def tell(shelf: Shelf, uid: str, state: str) -> None:
    """Plan a study's results at one place, and let them stand as they do."""
    with shelf.records.begin() as session:
        changed = {each.study_instance_uid: each for each in changed_studies(session, LATER)}
        assert deliveries.plan(session, changed[uid], ["pacs"], NOW)
        here = DeliveryRow.study_row == changed[uid].row
        session.execute(update(DeliveryRow).where(here).values(state=state))


def for_another_patient(shelf: Shelf, uid: str) -> None:
    shelf.file(uid, Prediction(0.1), patient_id="A")
    tell(shelf, uid, "delivered")
    come_otherwise(shelf, uid, "B", NOW)


def come_otherwise(shelf: Shelf, uid: str, patient: str, now: dt.datetime) -> str:
    """File other bytes under the UID of a study's image, and return their digest."""
    digest = hashlib.sha256(f"{uid} for {patient}".encode()).hexdigest()
    shelf.write(digest)
    header = InstanceHeader(
        f"{uid}.1", "1.2.840.10008.5.1.4.1.1.1.1", uid, "1.2.840.10008.1.2", patient_id=patient
    )
    with shelf.records.begin() as session:
        association = open_association(session, Caller("PACS", "N", "127.0.0.1", "here:1"), now)
        take_in(
            session.connection(),
            header,
            KeptFile(digest, 1000),
            association_row=association,
            now=now,
            announce_at=now,
            is_there=shelf.archive.holds,
        )
    return digest


HINDERED = [
    (waits, None, Hindrance.WAITING),
    (failed, None, Hindrance.FAILED),
    (held, None, Hindrance.ON_HOLD),
    (in_batch, None, Hindrance.IN_BATCH),
    (due_at_a_place, None, Hindrance.UNDELIVERED),
    (due_at_a_place, ["pacs"], Hindrance.UNDELIVERED),
    (dead_at_a_place, ["pacs"], Hindrance.UNDELIVERED),
    (not_planned, ["pacs"], Hindrance.UNDELIVERED),
    (not_planned, None, Hindrance.UNDELIVERED),
    (for_another_patient, ["pacs"], Hindrance.OTHER_PATIENT),
]


def test_what_is_still_needed_stays_however_old(shelf: Shelf) -> None:
    for number, (make, shelf.places, why) in enumerate(HINDERED):
        make(shelf, f"1.{number}")
        with shelf.records.read() as session:
            row = shelf.row(f"1.{number}")
            now = NOW + 9000 * DAY
            study = judge(session, POLICY, shelf.places, now, [row])[row]
        assert (study.is_over, study.hindrances) == (True, (why,)), make
        shelf.places = ["pacs"]
        assert shelf.run(now).files == 0, make
    assert len(shelf.files()) == len(HINDERED) + 3
    assert shelf.gone() == set()
    shelf.places = None
    assert Hindrance.ON_HOLD in shelf.look().held_back


def test_what_is_missing_is_not_said_to_have_been_removed(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.archive.path(digest_of("1.1")).unlink()
    assert shelf.run().files == 0
    assert shelf.gone() == set()
    with shelf.records.read() as session:
        assert len(list(archived_files(session))) == 1, "nightread verify lists it"


def test_what_holds_back_can_end(shelf: Shelf) -> None:
    in_batch(shelf, "1.1")
    with shelf.records.begin() as session:
        batch = night_batches.due_batches(session, NOW)[0]
        night_batches.end_batch(session, batch.row, NOW)
        assert night_batches.find_batch(session, batch.row).state is BatchState.FINISHED  # type: ignore[union-attr]
        first = place_hold(session, "1.1", "teaching", "admin", NOW)
        second = place_hold(session, "1.1", "court", "admin", NOW)
        release_hold(session, first.number, "admin", NOW)
    assert shelf.run().files == 0, "another hold stands for itself"
    with shelf.records.begin() as session:
        release_hold(session, second.number, "admin", NOW)
    assert shelf.run().files == 1


def test_what_arrived_is_delivered_and_a_place_that_is_gone_holds_nothing_back(
    shelf: Shelf,
) -> None:
    due_at_a_place(shelf, "1.1")
    with shelf.records.begin() as session:
        session.execute(delete(ChangedStudyRow))
    shelf.places = ["another"]
    assert list(shelf.look().held_back) == []
    shelf.places = ["pacs"]
    assert list(shelf.look().held_back) == [Hindrance.UNDELIVERED]
    with shelf.records.begin() as session:
        session.execute(update(DeliveryRow).values(state="delivered"))
    assert shelf.run().files == 1


def test_a_review_begins_the_time_anew_and_may_bring_another_rule(shelf: Shelf) -> None:
    for uid in ("1.1", "1.2"):
        shelf.file(uid, Prediction(0.1))
    with shelf.records.begin() as session:
        reviewer = users.add_user(session, "eve", Role.RADIOLOGIST, None, NOW)
        add_review(session, "1.1", reviewer, Opinion.AGREE, NOW + 20 * DAY)
        add_review(session, "1.2", reviewer, Opinion.DISAGREE, NOW)
    assert shelf.run(NOW + 49 * DAY).files == 0
    assert shelf.run(NOW + 50 * DAY).files == 1
    assert shelf.run(NOW + 9000 * DAY).files == 0, "what was disputed is kept for ever"
    assert shelf.has("1.2")


def test_a_change_that_nobody_has_planned_holds_back_where_others_deliver(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.file("1.2", Prediction(0.1))
    tell(shelf, "1.2", "delivered")
    assert shelf.places is None, "the file of destinations is the courier's alone"
    assert list(shelf.look().held_back) == [Hindrance.UNDELIVERED]
    assert shelf.run().files == 1
    assert shelf.has("1.1")
    tell(shelf, "1.1", "delivered")
    assert shelf.run().files == 1


def test_what_comes_again_otherwise_begins_the_time_anew(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1), patient_id="A")
    late = NOW + 100 * DAY
    digest = come_otherwise(shelf, "1.1", "A", late)
    assert shelf.run(late + 29 * DAY).files == 0
    assert {digest, digest_of("1.1")} == shelf.files()
    assert shelf.run(late + 30 * DAY).files == 2
    # The other bytes alone come once more: what they are compared with is gone, they are not.
    again = late + 60 * DAY
    assert come_otherwise(shelf, "1.1", "A", again) == digest
    assert shelf.run(again + 29 * DAY).files == 0
    assert shelf.run(again + 30 * DAY).files == 1


def test_a_study_that_came_for_another_patient_stays_until_it_is_theirs(shelf: Shelf) -> None:
    for_another_patient(shelf, "1.1")
    assert list(shelf.look().held_back) == [Hindrance.OTHER_PATIENT]
    assert shelf.run(NOW + 9000 * DAY).files == 0
    with shelf.records.begin() as session:
        adopt(session, "1.1", ADMIN, "wrong patient", NOW)
        session.execute(delete(ChangedStudyRow))
    assert shelf.run(NOW + 9000 * DAY).files == 2
    assert shelf.files() == set()


def share(shelf: Shelf, other: str) -> None:
    """Let another study's image have the same bytes as the one of 1.1."""
    with shelf.records.begin() as session:
        session.execute(
            update(InstanceRow)
            .where(InstanceRow.sop_instance_uid == f"{other}.1")
            .values(digest=digest_of("1.1"))
        )


def test_a_file_that_two_rows_need_goes_when_both_are_due(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.file("1.2", Prediction(0.9))
    share(shelf, "1.2")
    assert list(shelf.look().held_back) == [Hindrance.SHARED]
    assert shelf.run().files == 0
    assert shelf.has("1.1")
    gone = shelf.run(NOW + 300 * DAY)
    assert gone.files == 1
    assert not shelf.has("1.1")
    assert dossier(shelf, "1.2").images[0].removal is not None


def test_other_bytes_under_a_uid_go_with_its_study_and_with_the_one_that_they_name(
    shelf: Shelf,
) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.file("1.2", Prediction(0.9))
    other = "f" * 64
    shelf.write(other)
    with shelf.records.begin() as session:
        held_row = session.scalars(
            select(InstanceRow).where(InstanceRow.sop_instance_uid == "1.1.1")
        ).one()
        session.add(
            ConflictRow(
                instance_row=held_row.id,
                study_instance_uid="1.2",
                transfer_syntax_uid="1.2.840.10008.1.2",
                association_row=held_row.association_row,
                digest=other,
                size_bytes=1000,
                received_at=NOW,
            )
        )
    shelf.run()
    assert (shelf.has("1.1"), other in shelf.files()) == (False, True)
    shelf.run(NOW + 300 * DAY)
    assert shelf.files() == set()


def test_the_same_image_sent_again_is_there_again_and_its_time_begins_anew(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.run()
    assert not shelf.has("1.1")
    send_again(shelf, "1.1", LATER)
    assert shelf.has("1.1")
    assert dossier(shelf, "1.1").images[0].removal is None
    with shelf.records.read() as session:
        assert [each.digest for each in archived_files(session)] == [digest_of("1.1")]
    ledger = read(shelf)
    assert (ledger.discrepancies, ledger.removed) == ((), {})
    assert (ledger.answers.stored, ledger.answers.duplicates) == (1, 1)
    assert shelf.run(LATER + 29 * DAY).files == 0
    assert shelf.run(LATER + 30 * DAY).files == 1
    assert not shelf.has("1.1")


def test_another_model_passes_over_what_is_gone_and_reads_what_came_again(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.run()
    wanted = Wanted((Rescreened(model="densenet", model_version="1").model, "1"))

    def lacking() -> list[str]:
        with shelf.records.read() as session:
            return [uid for _, uid, _ in studies_lacking(session, wanted, after=0, limit=10)]

    assert lacking() == []
    send_again(shelf, "1.1", LATER)
    assert lacking() == ["1.1"]


def test_nobody_tries_again_what_is_gone(shelf: Shelf) -> None:
    shelf.policy = Policy((Rule("all", 30),), "")
    shelf.file("1.1", Exclusion(Reason.CANNOT_DECODE, "no plugin"))
    shelf.run()
    with shelf.records.read() as session:
        assert find_unscored(session, [Reason.CANNOT_DECODE]) == []


def test_bytes_that_went_between_their_coming_and_their_row_are_refused(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.run()
    write, shelf.write = shelf.write, lambda digest: None  # type: ignore[method-assign]
    with pytest.raises(ArchiveError, match="send it again"):
        send_again(shelf, "1.1", LATER)
    assert shelf.gone() == {digest_of("1.1")}, "the refused one changes nothing"
    shelf.write = write  # type: ignore[method-assign]
    send_again(shelf, "1.1", LATER)
    assert shelf.gone() == set()


def test_what_was_decided_is_not_done_where_something_has_come_since(shelf: Shelf) -> None:
    for uid in ("1.1", "1.2", "1.3"):
        shelf.file(uid, Prediction(0.1))
        with shelf.records.begin() as session:
            decide(session, POLICY, None, LATER, shelf.row(uid), shelf.files(), ADMIN)
    with shelf.records.begin() as session:
        place_hold(session, "1.1", "court", "admin", LATER)
    send_again(shelf, "1.2", LATER, number=2)
    send_again(shelf, "1.3", LATER)
    gone = shelf.run()
    assert (gone.files, gone.kept_after_all) == (0, 2)
    assert shelf.gone() == set()
    assert all(shelf.has(uid) for uid in ("1.1", "1.2", "1.3"))
    with shelf.records.read() as session:
        noted = [(each.event, each.study_instance_uid) for each in audit.read_audit(session)]
    assert {("pixels_kept", "1.1"), ("pixels_kept", "1.2")} <= set(noted)


def test_an_archive_that_is_away_removes_nothing_and_marks_nothing(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.file("1.1", Prediction(0.1))
    (tmp_path / "archive" / "instances").rename(tmp_path / "elsewhere")
    with pytest.raises(ArchiveAwayError):
        shelf.run()
    (tmp_path / "elsewhere").rename(tmp_path / "archive" / "instances")
    assert shelf.gone() == set()
    assert shelf.run().files == 1


def test_a_run_ends_where_it_is_told_and_goes_on_there(shelf: Shelf) -> None:
    for number in range(5):
        shelf.file(f"1.{number}", Prediction(0.1), now=NOW - number * DAY)
    enough = iter([False, False, True])
    gone = shelf.run(enough=lambda: next(enough))
    assert (gone.files, gone.is_whole) == (2, False)
    assert not shelf.has("1.4"), "the oldest first"
    assert not shelf.has("1.3")
    assert shelf.run().files == 3


def test_a_file_that_cannot_be_removed_holds_up_no_other(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 31):
        shelf.file(f"1.{number}", Prediction(0.1))
    bad = min(digest_of(f"1.{number}") for number in range(1, 31))
    remove = shelf.archive.remove

    def refuse(digest: str) -> None:
        if digest == bad:
            raise ArchiveError("cannot write: Operation not permitted")
        remove(digest)

    with monkeypatch.context() as patched:
        patched.setattr(shelf.archive, "remove", refuse)
        gone = shelf.run()
        assert (gone.is_whole, list(gone.not_removed)) == (True, [bad])
        assert shelf.files() == {bad}
        again = shelf.run()
        assert (again.files, list(again.not_removed)) == (0, [bad])
    assert shelf.run().files == 1
    assert shelf.files() == set()
    with shelf.records.read() as session:
        runs = [each for each in audit.read_audit(session) if each.event == "retention_run"]
    assert sum("could not be removed" in (each.detail or "") for each in runs) == 2


def test_a_run_that_breaks_off_is_in_the_audit_with_what_it_removed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        shelf.file(f"1.{number}", Prediction(0.1))
    remove, removed = shelf.archive.remove, []

    def away(digest: str) -> None:
        if removed:
            raise ArchiveAwayError("the share is gone")
        remove(digest)
        removed.append(digest)

    monkeypatch.setattr(shelf.archive, "remove", away)
    with pytest.raises(ArchiveAwayError):
        shelf.run()
    with shelf.records.read() as session:
        (run,) = [each for each in audit.read_audit(session) if each.event == "retention_run"]
    assert run.detail is not None
    assert run.detail.startswith("not at its end: clear: 2 studies, 1 file,")


def test_an_empty_file_is_missing_and_not_called_removed(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    shelf.archive.path(digest_of("1.1")).write_bytes(b"")
    assert shelf.run().files == 0
    assert shelf.gone() == set()


def test_a_hold_needs_a_reason_of_one_line(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    for why in ("", " ", "two\nlines", "x" * 257, "red\x1b[31m", "\u202eevil", "a\udcff"):
        with shelf.records.begin() as session, pytest.raises(HoldError, match="on one line"):
            place_hold(session, "1.1", why, "console:admin", NOW)


def test_a_clock_that_is_off_removes_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.file("1.1", Prediction(0.1))
    clock = dt.datetime.now(dt.UTC) - dt.timedelta(days=365)
    monkeypatch.setattr(Records, "clock", lambda _: clock)
    with pytest.raises(ClockError, match="until both follow NTP"):
        shelf.run()
    with shelf.records.begin() as session:
        decide(session, POLICY, None, LATER, shelf.row("1.1"), shelf.files(), ADMIN)
    with pytest.raises(ClockError):
        shelf.run()
    assert shelf.has("1.1")


def test_a_study_of_many_images_goes_as_a_whole(shelf: Shelf) -> None:
    shelf.file("1.1", *[Prediction(0.1)] * 103)
    gone = shelf.run()
    assert str(gone) == "clear: 1 study, 103 files, 103000 bytes"
    assert shelf.files() == set()
    assert len([1 for image in dossier(shelf, "1.1").images if image.removal]) == 103


class Writer(Records):
    """Records that say whether a transaction is open that others wait for, and count them."""

    is_writing = False
    transactions = 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with super().begin() as session:
            self.is_writing, self.transactions = True, self.transactions + 1
            try:
                yield session
            finally:
                self.is_writing = False


class Store(FolderArchive):
    """An archive that is asked over a network, and notes when."""

    is_store = True
    records: Writer
    removed: list[int]

    def holds(self, digest: str) -> bool:
        assert not self.records.is_writing, "nobody waits for the database while a store answers"
        return super().holds(digest)

    def remove(self, digest: str) -> None:
        assert self.records.is_writing, "a file goes while its row is held"
        self.removed.append(self.records.transactions)
        super().remove(digest)


def test_a_store_is_asked_before_a_transaction_and_removes_one_file_in_each(
    records: Records, database_url: str, tmp_path: Path
) -> None:
    archive = Store(tmp_path / "archive")
    archive.records, archive.removed = Writer(database_url), []
    shelf = Shelf(archive.records, archive)
    shelf.file("1.1", *[Prediction(0.1)] * 3)
    assert shelf.run().files == 3
    shelf.file("1.2", *[Prediction(0.1)] * 2)
    with archive.records.begin() as session:
        decide(session, POLICY, None, LATER, shelf.row("1.2"), shelf.files(), ADMIN)
    assert shelf.run().files == 2, "what a killed run had decided"
    archive.records.close()
    assert len(archive.removed) == len(set(archive.removed)) == 5


def test_a_removal_of_one_is_not_counted_as_two(shelf: Shelf) -> None:
    shelf.file("1.1", Prediction(0.1))
    with shelf.records.begin() as session:
        decide(session, POLICY, None, LATER, shelf.row("1.1"), shelf.files(), ADMIN)
        assert unfinished(session, 10) == [digest_of("1.1")]
    remove = shelf.archive.remove
    arguments = POLICY, None, LATER, [digest_of("1.1")], shelf.files(), remove, ADMIN
    with shelf.records.begin() as session:
        assert len(finish(session, *arguments)[0]) == 1
    with shelf.records.begin() as session:
        assert finish(session, *arguments) == ([], 0)
        session.execute(delete(ChangedStudyRow))
        assert session.scalars(select(RemovalRow.removed_at)).all() == [LATER]
