from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import threading

import pytest
from filed_cases import NOW, file_study
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from screening.domain.account import Actor, Role
from screening.domain.instance import InstanceHeader
from screening.domain.kept_file import KeptFile
from screening.domain.prediction import Prediction
from screening.errors import IdentityError
from screening.records.adoption import adopt, changed_studies
from screening.records.association import Caller, open_association
from screening.records.audit import read_audit
from screening.records.case_filter import CaseFilter, state_of_list
from screening.records.cases import Case, find_case, list_cases
from screening.records.conflicts import ConflictKind
from screening.records.dossier import Dossier, open_dossier
from screening.records.engine import Records
from screening.records.filing import Demographics
from screening.records.identities import Change, list_changes, merge, undo
from screening.records.intake import Arrival, take_in
from screening.records.priors import priors
from screening.records.schema import InstanceRow, PatientRow
from screening.records.surviving import Identifier, Named, names_of

ADMIN = Actor("console:ann", Role.ADMIN, "console")


def join(records: Records, old: str, new: str, issuer: str | None = None, **more: object) -> Change:
    with records.begin() as session:
        ids = Identifier(old, issuer), Identifier(new, issuer)
        return merge(session, *ids, ADMIN, "registered twice", NOW, **more)  # type: ignore[arg-type]


def take_back(records: Records, number: int) -> Change:
    with records.begin() as session:
        return undo(session, number, ADMIN, "two people", NOW)


def file(records: Records, uid: str, patient: str, **elements: object) -> None:
    elements = {"patient_id": patient, "patient_name": f"PHANTOM^{patient}", **elements}
    file_study(records, uid, Prediction(0.9), **elements)


def case(records: Records, uid: str) -> Case:
    with records.read() as session:
        found = find_case(session, uid)
    assert found is not None
    return found


def dossier(records: Records, uid: str) -> Dossier:
    with records.read() as session:
        found = open_dossier(session, uid)
    assert found is not None
    return found


def whose(records: Records, *uids: str) -> list[str | None]:
    return [case(records, uid).patient_id for uid in uids]


def searched(records: Records, text: str) -> list[str]:
    with records.read() as session:
        return [each.study_instance_uid for each in list_cases(session, CaseFilter(text=text))]


def came_again(records: Records, uid: str, patient: str, image: int = 1) -> None:
    """Have an image of a study come again with another header."""
    header = InstanceHeader(
        f"{uid}.{image}",
        "1.2.840.10008.5.1.4.1.1.1.1",
        uid,
        "1.2.840.10008.1.2.1",
        patient_id=patient,
        patient_name=f"PHANTOM^{patient}",
    )
    with records.begin() as session:
        association = open_association(session, Caller("PACS", "N", "127.0.0.1", "h:1"), NOW)
        digest = hashlib.sha256(f"{uid}{patient}{image}".encode()).hexdigest()
        intake = take_in(
            session.connection(),
            header,
            KeptFile(digest, 1000),
            association_row=association,
            now=NOW,
            announce_at=NOW,
        )
    assert intake.arrival is Arrival.CONFLICT


def test_a_merged_patients_studies_are_the_survivors_with_who_they_were(records: Records) -> None:
    file(records, "1.1", "A")
    file(records, "1.2", "B")
    made = join(records, "A", "B")
    assert (made.is_new, made.studies) == (True, 1)
    assert whose(records, "1.1", "1.2") == ["B", "B"]
    assert case(records, "1.1").patient_name == "PHANTOM^B"
    changed = dossier(records, "1.1").reidentified
    assert changed is not None
    assert (changed.formerly, changed.changes) == (("A",), (made.number,))
    assert dossier(records, "1.2").reidentified is None
    assert dossier(records, "1.1").images[0].patient_id == "A", "what its header says stays"


def test_priors_and_search_follow_a_merge_and_its_undoing(records: Records) -> None:
    file(records, "1.1", "A")
    file(records, "1.2", "B")
    number = join(records, "A", "B").number
    with records.read() as session:
        assert [each.study_instance_uid for each in priors(session, "1.2")] == ["1.1"]
    assert sorted(searched(records, "B")) == ["1.1", "1.2"]
    assert searched(records, "A") == ["1.1"], "it is found by who they were, too"
    take_back(records, number)
    with records.read() as session:
        assert priors(session, "1.2") == []
    assert searched(records, "B") == ["1.2"]
    assert whose(records, "1.1", "1.2") == ["A", "B"]


def test_a_study_that_comes_after_the_merge_is_the_survivors(records: Records) -> None:
    join(records, "A", "B")
    file(records, "1.1", "A")
    file(records, "1.2", "B")
    assert whose(records, "1.1", "1.2") == ["B", "B"]
    assert sorted(searched(records, "B")) == ["1.1", "1.2"]


def test_a_survivor_who_is_not_here_has_the_others_name(records: Records) -> None:
    file(records, "1.1", "A")
    join(records, "A", "B")
    assert (case(records, "1.1").patient_id, case(records, "1.1").patient_name) == (
        "B",
        "PHANTOM^A",
    )


def test_a_survivor_is_described_as_the_merge_says(records: Records) -> None:
    file(records, "1.1", "A")
    join(records, "A", "B", demographics=Demographics("NEW^NAME", dt.date(1990, 1, 2), "F"))
    changed = dossier(records, "1.1").reidentified
    assert changed is not None
    assert (changed.patient_name, changed.patient_birth_date) == ("NEW^NAME", "1990-01-02")


def test_an_identifier_is_known_by_each_name_under_which_it_came(records: Records) -> None:
    file(records, "1.1", "A", patient_sex="F")
    file(records, "1.2", "A", patient_sex="F")
    file(records, "1.3", "A", patient_name=None)
    file(records, "1.4", "A", issuer_of_patient_id="ELSEWHERE")
    with records.read() as session:
        named = names_of(session, Identifier("A"))
        assert names_of(session, Identifier("Z")) == []
    assert set(named) == {Named("PHANTOM^A", None, "F"), Named(None, None, None)}
    assert len(named) == 2


def test_merges_follow_one_another_to_the_last(records: Records) -> None:
    for uid, patient in (("1.1", "A"), ("1.2", "B"), ("1.3", "C")):
        file(records, uid, patient)
    first, second = join(records, "A", "B"), join(records, "B", "C")
    assert whose(records, "1.1", "1.2", "1.3") == ["C", "C", "C"]
    take_back(records, first.number)
    assert whose(records, "1.1", "1.2", "1.3") == ["A", "C", "C"]
    join(records, "A", "B")
    take_back(records, second.number)
    assert whose(records, "1.1", "1.2", "1.3") == ["B", "B", "C"]


@pytest.mark.parametrize(("old", "new"), [("B", "A"), ("C", "A"), ("A", "D"), ("A", "A")])
def test_a_merge_that_contradicts_one_before_is_refused(
    records: Records, old: str, new: str
) -> None:
    file(records, "1.1", "A")
    join(records, "A", "B")
    join(records, "B", "C")
    with pytest.raises(IdentityError):
        join(records, old, new)
    assert whose(records, "1.1") == ["C"]


def test_the_refusal_names_what_to_undo_and_no_patient(records: Records) -> None:
    made = join(records, "SECRET-A", "SECRET-B")
    with pytest.raises(IdentityError, match=f"nightread patient undo {made.number}") as refused:
        join(records, "SECRET-B", "SECRET-A")
    assert "SECRET" not in str(refused.value)


def test_the_same_merge_twice_is_one(records: Records) -> None:
    first = join(records, "A", "B")
    again = join(records, "A", "B")
    assert (again.number, again.is_new) == (first.number, False)
    with records.read() as session:
        assert len(read_audit(session)) == 1


def test_a_number_of_another_issuer_is_another_patient(records: Records) -> None:
    file(records, "1.1", "A", issuer_of_patient_id="NORTH")
    file(records, "1.2", "A", issuer_of_patient_id="SOUTH")
    file(records, "1.3", "A")
    join(records, "A", "B", "NORTH")
    assert whose(records, "1.1", "1.2", "1.3") == ["B", "A", "A"]


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 300, "a\nb", "\0"])
def test_what_is_no_identifier_or_no_reason_is_refused(records: Records, wrong: str) -> None:
    with pytest.raises(IdentityError):
        join(records, wrong, "B")
    with records.begin() as session, pytest.raises(IdentityError):
        merge(session, Identifier("A"), Identifier("B"), ADMIN, wrong, NOW)


def test_an_undone_change_cannot_be_undone_again_and_stays_on_record(records: Records) -> None:
    number = join(records, "A", "B").number
    take_back(records, number)
    with pytest.raises(IdentityError, match="undone before"):
        take_back(records, number)
    with pytest.raises(IdentityError, match="not on record"):
        take_back(records, 99)
    with records.read() as session:
        (found,) = list_changes(session)
        events = [entry.event for entry in read_audit(session)]
    assert (found.undone_by, events) == ("console:ann", ["identity_undone", "patients_merged"])


def test_two_who_became_one_are_no_mix_up(records: Records) -> None:
    file(records, "1.1", "A")
    header = InstanceHeader("1.1.9", "1.2.3", "1.1", "1.2.840.10008.1.2.1", patient_id="B")
    with records.begin() as session:
        association = open_association(session, Caller("PACS", "N", "127.0.0.1", "h:1"), NOW)
        kept = KeptFile("e" * 64, 10)
        terms = {"association_row": association, "now": NOW, "announce_at": NOW}
        take_in(session.connection(), header, kept, **terms)  # type: ignore[arg-type]
    assert case(records, "1.1").patients == 2
    number = join(records, "A", "B").number
    assert case(records, "1.1").patients == 1
    take_back(records, number)
    assert case(records, "1.1").patients == 2


def test_the_list_is_drawn_anew_after_a_merge_and_after_its_undoing(records: Records) -> None:
    file(records, "1.1", "A")
    states = []
    for act in (None, lambda: join(records, "A", "B"), lambda: take_back(records, 1)):
        if act is not None:
            act()
        with records.read() as session:
            states.append(state_of_list(session))
    assert len(set(states)) == 3


def test_images_that_come_again_for_another_patient_are_named_so(records: Records) -> None:
    file(records, "1.1", "A")
    came_again(records, "1.1", "B")
    (found,) = dossier(records, "1.1").conflicts
    assert (found.kind, found.patient_id) == (ConflictKind.OTHER_PATIENT, "B")
    assert whose(records, "1.1") == ["A"], "until somebody adopts it"
    with records.read() as session:
        assert changed_studies(session) == ["1.1"]


def test_an_adopted_study_is_the_others_and_no_other_study_is(records: Records) -> None:
    file(records, "1.1", "A")
    file(records, "1.2", "A")
    came_again(records, "1.1", "B")
    with records.begin() as session:
        made = adopt(session, "1.1", ADMIN, "wrong patient", NOW)
    assert whose(records, "1.1", "1.2") == ["B", "A"]
    found = dossier(records, "1.1")
    assert found.reidentified is not None
    assert found.reidentified.formerly == ("A",)
    assert found.conflicts[0].kind is ConflictKind.ADOPTED
    with records.read() as session:
        assert changed_studies(session) == []
        assert read_audit(session)[0].study_instance_uid == "1.1"
    with records.begin() as session, pytest.raises(IdentityError, match="already"):
        adopt(session, "1.1", ADMIN, "once more", NOW)
    take_back(records, made.number)
    assert whose(records, "1.1", "1.2") == ["A", "A"]


def test_an_adopted_study_follows_later_merges(records: Records) -> None:
    file(records, "1.1", "A")
    came_again(records, "1.1", "B")
    with records.begin() as session:
        adopt(session, "1.1", ADMIN, "wrong patient", NOW)
    number = join(records, "B", "C").number
    assert whose(records, "1.1") == ["C"]
    take_back(records, number)
    assert whose(records, "1.1") == ["B"]


def test_a_merge_settles_what_came_again(records: Records) -> None:
    file(records, "1.1", "A")
    came_again(records, "1.1", "B")
    join(records, "A", "B")
    assert dossier(records, "1.1").conflicts[0].kind is ConflictKind.ADOPTED
    with records.read() as session:
        assert changed_studies(session) == []


def test_a_study_that_did_not_come_again_or_for_two_patients_is_not_adopted(
    records: Records,
) -> None:
    file_study(records, "1.1", Prediction(0.9), Prediction(0.9), patient_id="A")
    with records.begin() as session, pytest.raises(IdentityError, match="came again"):
        adopt(session, "1.1", ADMIN, "why", NOW)
    with records.begin() as session, pytest.raises(IdentityError, match="received"):
        adopt(session, "9.9", ADMIN, "why", NOW)
    came_again(records, "1.1", "B")
    came_again(records, "1.1", "C", image=2)
    with records.begin() as session, pytest.raises(IdentityError, match="2 patients"):
        adopt(session, "1.1", ADMIN, "why", NOW)


def test_studies_that_come_while_patients_are_merged_are_the_survivors(records: Records) -> None:
    file(records, "1.0", "A")
    begun = threading.Event()

    def send() -> None:
        begun.set()
        for number in range(1, 8):
            file(records, f"1.{number}", "A")

    sender = threading.Thread(target=send)
    sender.start()
    begun.wait(10)
    records.repeat(
        lambda session: merge(session, Identifier("A"), Identifier("B"), ADMIN, "twice", NOW)
    )
    sender.join(60)
    assert whose(records, *(f"1.{number}" for number in range(8))) == ["B"] * 8


def test_rows_of_patients_and_images_are_not_rewritten(records: Records) -> None:
    file(records, "1.1", "A")

    def rows() -> list[object]:
        with records.read() as session:
            patient = session.scalars(select(PatientRow).where(PatientRow.patient_id == "A")).one()
            image = session.scalars(select(InstanceRow)).one()
            return [patient.identity_digest, image.patient_row, image.digest]

    before = rows()
    take_back(records, join(records, "A", "B").number)
    join(records, "A", "C")
    assert rows() == before


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")), max_size=8))
def test_no_merges_make_a_circle(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    import migrations

    records = Records(f"sqlite:///{tmp_path_factory.mktemp('circle') / 'r.sqlite'}")
    try:
        migrations.upgrade(records)
        for number, patient in enumerate("ABCD"):
            file(records, f"1.{number}", patient)
        for old, new in pairs:
            try:
                join(records, old, new)
            except IdentityError:
                continue
        found = dict(zip("ABCD", whose(records, *(f"1.{n}" for n in range(4))), strict=True))
        assert all(found[str(end)] == end for end in found.values())
    finally:
        records.close()


def test_a_case_says_all_that_it_said_before_a_merge_that_is_undone(records: Records) -> None:
    file(records, "1.1", "A")
    before = dataclasses.asdict(case(records, "1.1"))
    take_back(records, join(records, "A", "B").number)
    assert dataclasses.asdict(case(records, "1.1")) == before
