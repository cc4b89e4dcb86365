from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from desk import TestDesk
from pydicom import Dataset
from result_studies import make_objects, screened
from sqlalchemy import select
from typer.testing import CliRunner

from nightread.console import make_console
from pacs.results.identity import Kind
from phantoms.load import small_study
from screening.domain.prediction import Prediction
from screening.errors import IdentityError
from screening.records.audit import read_audit
from screening.records.keeping_schema import RemovalRow
from screening.records.schema import InstanceRow
from screening.settings import Settings


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


def phantom(**elements: object) -> Dataset:
    (ds,) = small_study(1, 1, side=96)
    ds.SpecificCharacterSet = "ISO_IR 100"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def console(desk: TestDesk, *arguments: object) -> Any:  # noqa: ANN401
    settings = {"NIGHTREAD_DATA_DIR": str(desk.settings.data_dir)}
    ran = CliRunner().invoke(make_console(), ["patient", *map(str, arguments)], env=settings)
    if isinstance(ran.exception, IdentityError):
        raise ran.exception
    return ran


def test_a_case_page_names_the_survivor_and_who_they_were(desk: TestDesk) -> None:
    uid = desk.file(phantom(PatientID="OLD-ID"), Prediction(0.9))
    console(desk, "merge", "OLD-ID", "NEW-ID", "--why", "registered twice")
    anna = desk.signed_in("anna")
    page = anna.get(f"/cases/{uid}").text
    assert "NEW-ID" in page
    assert "formerly OLD-ID" in page
    answered = anna.get(f"/api/v1/studies/{uid}").json()
    assert answered["reidentified"]["formerly"] == ["OLD-ID"]
    assert uid in anna.get("/?text=NEW-ID").text
    assert uid in anna.get("/?text=OLD-ID").text


def test_a_case_page_says_that_images_came_again_for_another_patient(desk: TestDesk) -> None:
    uid = desk.file(phantom(PatientID="OLD-ID"), Prediction(0.9))
    desk.file(phantom(PatientID="NEW-ID"), None)
    page = desk.signed_in("anna").get(f"/cases/{uid}").text
    assert "came again for patient NEW-ID" in page
    assert "nightread patient adopt" in page


def test_other_bytes_of_the_same_patient_are_named_as_before(desk: TestDesk) -> None:
    uid = desk.file(phantom(), Prediction(0.9))
    desk.file(phantom(StudyDescription="another"), None)
    page = desk.signed_in("anna").get(f"/cases/{uid}").text
    assert "1 other data sets came under UIDs of this study." in page
    assert "came again" not in page


def test_a_study_that_came_again_is_adopted_and_given_back(desk: TestDesk) -> None:
    uid = desk.file(phantom(PatientID="OLD-ID"), Prediction(0.9))
    desk.file(phantom(PatientID="NEW-ID", PatientName="NEW^NAME"), None)
    assert json.loads(console(desk, "pending", "--json").stdout) == [uid]
    assert "change 1" in console(desk, "adopt", uid, "--why", "wrong patient").stderr
    assert console(desk, "pending").stdout == "No study came again for another patient.\n"
    page = desk.signed_in("anna").get(f"/cases/{uid}").text
    assert "formerly OLD-ID" in page
    assert "came again" not in page
    console(desk, "undo", 1, "--why", "no, it was right")
    (listed,) = json.loads(console(desk, "list", "--json").stdout)
    assert listed["undone_by"].startswith("console:")
    assert listed["study_instance_uid"] == uid
    with desk.records.read() as session:
        events = [entry.event for entry in read_audit(session)]
    assert events[0] == "identity_undone"
    assert "identity_adopted" in events


def test_other_pixels_are_no_correction(desk: TestDesk) -> None:
    ds = phantom(PatientID="OLD-ID")
    uid = desk.file(ds, Prediction(0.9))
    desk.file(phantom(PatientID="NEW-ID", PixelData=bytes(len(ds.PixelData))), None)
    with pytest.raises(IdentityError, match="other pixels"):
        console(desk, "adopt", uid, "--why", "wrong patient")


def test_pixels_that_a_rule_removed_cannot_be_compared_and_the_rule_is_named(
    desk: TestDesk,
) -> None:
    uid = desk.file(phantom(PatientID="OLD-ID"), Prediction(0.9))
    desk.file(phantom(PatientID="NEW-ID"), None)
    with desk.records.begin() as session:
        (digest,) = session.scalars(select(InstanceRow.digest))
        session.add(
            RemovalRow(
                digest=digest, rule="short", policy="d" * 64, size_bytes=1, decided_at=desk.now
            )
        )
    with pytest.raises(IdentityError, match="by rule short: they cannot be compared"):
        console(desk, "adopt", uid, "--why", "wrong patient")


def test_a_dry_run_of_a_merge_changes_nothing(desk: TestDesk) -> None:
    desk.file(
        phantom(PatientID="OLD-ID", PatientName="DOE^JANE\x1b[31m", PatientBirthDate="19700102"),
        Prediction(0.9),
    )
    ran = console(desk, "merge", " OLD-ID", "NEW-ID", "--why", "twice", "--dry-run")
    assert ran.stderr.startswith("1 study would be the other's")
    shown, unknown = ran.stdout.splitlines()
    assert shown.startswith("OLD-ID: DOE, JANE")
    assert "born 1970-01-02" in shown
    assert "\x1b" not in shown
    assert unknown == "NEW-ID: not on record"
    assert json.loads(console(desk, "list", "--json").stdout) == []


def test_results_after_a_merge_name_the_survivor_and_are_other_objects(desk: TestDesk) -> None:
    uid = desk.file(phantom(PatientID="OLD-ID", PatientName="M\xdcLLER^A"), Prediction(0.9))
    (before,) = make_objects(screened(desk, uid), {Kind.REPORT})
    desk.file(phantom(PatientID="NEW-ID", PatientName="NOV\xc1K^B"), None)
    console(desk, "adopt", uid, "--why", "wrong patient")
    (after,) = make_objects(screened(desk, uid), {Kind.REPORT})
    first, second = (made.ds if hasattr(made, "ds") else made.dataset for made in (before, after))
    assert (first.PatientID, str(first.PatientName)) == ("OLD-ID", "M\xdcLLER^A")
    assert (second.PatientID, str(second.PatientName)) == ("NEW-ID", "NOV\xc1K^B")
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
