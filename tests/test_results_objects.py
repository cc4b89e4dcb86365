"""What goes back to a PACS: what others read in it, and that nothing of the original is changed."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from conftest import require
from desk import SCORER, TestDesk
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from result_studies import file_results, heat, make_objects, screened

from pacs.results.identity import Kind, uid_of
from pacs.results.objects import ResultObject
from phantoms.load import small_study
from screening.dicom.eligibility import exclusion_of
from screening.dicom.header import read_header
from screening.domain.prediction import ModelIdentity, Prediction
from screening.domain.reason import Exclusion, Reason
from screening.settings import Settings

CARRIED = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")
# dciodvfy of 2022 knows no scheme of ours, and takes each use of it for a mistake.
EXPECTED = re.compile(r"99NIGHTREAD|<Coding Scheme UID>|attribute <Laterality>")


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


@pytest.fixture
def made(desk: TestDesk) -> list[ResultObject]:
    return make_objects(screened(desk, file_results(desk)), list(Kind))


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    require(found, f"{name} is not installed: apt-get install {package}")
    assert found is not None
    return found


def written(objects: list[ResultObject], folder: Path) -> list[Path]:
    paths = []
    for number, each in enumerate(objects):
        paths.append(folder / f"{number}.{each.kind.value}.dcm")
        each.dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def test_a_study_gets_one_report_and_pictures_of_what_is_flagged(made: list[ResultObject]) -> None:
    kinds = [each.kind for each in made]
    assert {kind: kinds.count(kind) for kind in Kind} == {
        Kind.REPORT: 1,
        Kind.SUMMARY: 1,
        Kind.KEY_IMAGES: 1,
        Kind.CAPTURE: 2,
        Kind.OUTLINE: 2,
    }
    assert len({each.dataset.StudyInstanceUID for each in made}) == 1
    series = {each.kind: each.dataset.SeriesInstanceUID for each in made}
    assert len(set(series.values())) == len(Kind)
    assert all("not for diagnosis" in each.dataset.SeriesDescription for each in made)


def test_made_again_they_are_the_same(desk: TestDesk) -> None:
    uid = file_results(desk)
    first, second = (make_objects(screened(desk, uid), list(Kind)) for _ in range(2))
    assert [str(each.dataset) for each in first] == [str(each.dataset) for each in second]
    assert [each.dataset.file_meta for each in first] == [each.dataset.file_meta for each in second]


def test_dciodvfy_finds_no_error(made: list[ResultObject], tmp_path: Path) -> None:
    require_valid(made, tmp_path)


def require_valid(made: list[ResultObject], tmp_path: Path) -> None:
    dciodvfy = tool("dciodvfy", "dicom3tools")
    for path in written(made, tmp_path):
        said = subprocess.run([dciodvfy, path], capture_output=True, text=True, check=False).stderr
        wrong = [
            line
            for line in said.splitlines()
            if line.startswith(("Error", "Warning")) and not EXPECTED.search(line)
        ]
        assert wrong == [], path.name


def test_dcmtk_reads_them(made: list[ResultObject], tmp_path: Path) -> None:
    paths = {path.name.split(".")[1]: path for path in written(made, tmp_path)}
    report = subprocess.run(
        [tool("dsrdump", "dcmtk"), paths["report"]], capture_output=True, check=True
    ).stdout.decode("latin-1")
    assert "UNVERIFIED" in report
    assert 'Probability of a fracture")="0.876543210123"' in report
    assert "SHA-256 of the weights" in report
    key_images = subprocess.run(
        [tool("dsrdump", "dcmtk"), paths["key_images"]], capture_output=True, check=True
    ).stdout
    assert key_images.count(b"contains IMAGE") == 2
    picture = tmp_path / "capture.png"
    subprocess.run([tool("dcm2pnm", "dcmtk"), "+on", paths["capture"], picture], check=True)
    assert picture.stat().st_size > 10_000


def test_dcmtk_draws_an_outline_over_its_original(desk: TestDesk, tmp_path: Path) -> None:
    study = screened(desk, file_results(desk))
    outline = next(each for each in make_objects(study, [Kind.OUTLINE]))
    (path,) = written([outline], tmp_path)
    reference = outline.dataset.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    original = next(
        image.path
        for image in study.images
        if image.record.sop_instance_uid == reference.ReferencedSOPInstanceUID
    )
    drawn = tmp_path / "drawn.pgm"
    subprocess.run([tool("dcmp2pgm", "dcmtk"), "-p", path, original, drawn], check=True)
    assert drawn.read_bytes().startswith(b"P5")
    points = outline.dataset.GraphicAnnotationSequence[0].GraphicObjectSequence
    # The hot region of the heatmap lies at columns 10 to 20 of 48 and rows 20 to 30 of 64.
    width, height = study.images[0].record.columns or 0, study.images[0].record.rows or 0
    found = points[0].GraphicData
    assert found[0] == pytest.approx(width * 10 / 48, abs=1)
    assert found[1] == pytest.approx(height * 20 / 64, abs=1)
    assert found[4] == pytest.approx(width * 20 / 48, abs=1)


def test_when_they_come_back_they_are_known(made: list[ResultObject], tmp_path: Path) -> None:
    for path in written(made, tmp_path):
        exclusion = exclusion_of(read_header(path), minimum_age_years=0)
        assert exclusion is not None, path.name
        assert exclusion.reason is Reason.DERIVED_BY_US, path.name


def groups(report: Dataset) -> list[Dataset]:
    """Return the measurement groups of a report: that of the study, then of each image."""
    (measurements,) = (
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    )
    return list(measurements.ContentSequence)


def said(group: Dataset) -> dict[str, object]:
    """Return what a measurement group says, by the codes of its concepts."""
    found: dict[str, object] = {}
    for item in group.ContentSequence:
        concept = item.ConceptNameCodeSequence[0]
        name = concept.get("CodeValue") or concept.get("LongCodeValue")
        if item.ValueType == "NUM":
            measured = item.MeasuredValueSequence[0]
            found[name] = float(measured.get("FloatingPointValue", measured.NumericValue))
        elif item.ValueType == "CODE":
            code = item.ConceptCodeSequence[0]
            found[name] = code.get("CodeValue") or code.get("LongCodeValue")
        elif item.ValueType == "IMAGE":
            found["image"] = str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    return found


NAMES = st.sampled_from(
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Люксембург"),
        ("ISO_IR 6", "O'NEILL^ANN^^DR"),
        ("", "PLAIN^NAME"),
        ("ISO_IR 100", ""),
    ]
)
RESULTS = st.one_of(
    st.floats(0, 1).map(Prediction),
    st.sampled_from([Reason.TOO_SMALL, Reason.BODY_PART_OUT_OF_SCOPE]).map(Exclusion),
)


@hypothesis_settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=NAMES,
    results=st.lists(RESULTS, min_size=1, max_size=40),
    missing=st.sets(st.sampled_from(CARRIED)),
    implicit=st.booleans(),
    number=st.integers(0, 10**6),
)
def test_a_report_read_back_says_what_the_records_say(
    desk: TestDesk,
    tmp_path: Path,
    name: tuple[str, str],
    results: list[Prediction | Exclusion],
    missing: set[str],
    implicit: bool,
    number: int,
) -> None:
    study_uid = str(uid_of(number, name, results, sorted(missing)))
    first: Dataset | None = None
    for place, (ds, result) in enumerate(
        zip(small_study(number, len(results)), results, strict=True)
    ):
        ds.StudyInstanceUID, ds.SOPInstanceUID = study_uid, uid_of(study_uid, place)
        ds.SpecificCharacterSet, ds.PatientName = name
        for attribute in missing:
            if attribute in ds:
                delattr(ds, attribute)
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        desk.file(ds, result)
        first = first or ds
    assert first is not None
    study = screened(desk, study_uid)
    (made,) = make_objects(study, [Kind.REPORT])
    path = tmp_path / "report.dcm"
    made.dataset.save_as(path, enforce_file_format=True)
    report = pydicom.dcmread(path)
    of_study, *of_images = groups(report)
    assert said(of_study)["VERDICT"] == study.verdict.value.upper()
    assert len(of_images) == len(results)
    for group, image in zip(of_images, study.images, strict=True):
        told = said(group)
        assert told["image"] == image.record.sop_instance_uid
        if image.score is None:
            assert told["VERDICT"] == "NOT_SCORED"
            assert image.record.exclusion is not None
            assert told["REASON"] == image.record.exclusion.reason.value.upper()
            continue
        assert told["PROBABILITY"] == image.score.probability
        assert told["HIGH_SENSITIVITY"] == image.score.high_sensitivity
        assert told["HIGH_SPECIFICITY"] == image.score.high_specificity
        assert told["VERDICT"] == image.score.verdict.value.upper()
    original = pydicom.dcmread(study.images[0].path, stop_before_pixels=True)
    for attribute in (*CARRIED, "StudyDate", "StudyTime", "StudyID", "ReferringPhysicianName"):
        assert (report.get(attribute) or "") == (original.get(attribute) or ""), attribute
    assert report.get("SpecificCharacterSet") == original.get("SpecificCharacterSet")


def test_requests_are_carried(desk: TestDesk) -> None:
    (ds,) = small_study(3, 1)
    request = Dataset()
    request.RequestedProcedureID, request.RequestedProcedureDescription = "R1", "Hand"
    request.ScheduledProcedureStepID = "S1"
    ds.RequestAttributesSequence, ds.AccessionNumber = [request], "A3"
    study = screened(desk, desk.file(ds, Prediction(0.9)))
    report, summary = make_objects(study, [Kind.REPORT, Kind.SUMMARY])
    (answered,) = report.dataset.ReferencedRequestSequence
    assert (answered.RequestedProcedureID, answered.AccessionNumber) == ("R1", "A3")
    assert summary.dataset.RequestAttributesSequence[0].ScheduledProcedureStepID == "S1"


def test_a_study_of_nothing_but_our_own_objects_gets_none(desk: TestDesk) -> None:
    (ds,) = small_study(4, 1)
    ds.Manufacturer, ds.ImageType = "Nightread", ["DERIVED", "SECONDARY"]
    uid = desk.file(ds, Exclusion(Reason.DERIVED_BY_US))
    assert make_objects(screened(desk, uid), list(Kind)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"WindowCenter": "40", "WindowWidth": None},
        {"WindowCenter": ["1", "2"], "WindowWidth": "100"},
        {"WindowCenter": "40", "WindowWidth": "0"},
        {"WindowCenter": "40", "WindowWidth": "80", "VOILUTFunction": "CURLY"},
        {"RescaleSlope": "1", "RescaleIntercept": None},
        {"VOILUTSequence": []},
    ],
)
def test_a_header_that_is_not_as_it_should_be_costs_no_object(
    desk: TestDesk, change: dict[str, object]
) -> None:
    (ds,) = small_study(5, 1)
    for name, value in change.items():
        if value is None and name in ds:
            delattr(ds, name)
        elif value is not None:
            setattr(ds, name, value)
    study = screened(desk, desk.file(ds, Prediction(0.9), heat()))
    assert {each.kind for each in make_objects(study, list(Kind))} == set(Kind)


def test_what_has_not_changed_has_the_same_uid_and_the_same_bytes(desk: TestDesk) -> None:
    uid = file_results(desk, 6)
    before = {each.sop_instance_uid: each for each in make_objects(screened(desk, uid), list(Kind))}
    desk.signed_in("anna").post(f"/api/v1/studies/{uid}/reviews", json={"opinion": "agree"})
    study = screened(desk, uid)
    after = {each.sop_instance_uid: each for each in make_objects(study, list(Kind))}
    same = before.keys() & after.keys()
    kinds = {before[each].kind for each in same}
    assert kinds == {Kind.CAPTURE, Kind.OUTLINE, Kind.KEY_IMAGES}
    assert all(str(before[each].dataset) == str(after[each].dataset) for each in same)
    assert [each.kind for each in make_objects(study, list(Kind), arrived=same)] == [
        Kind.REPORT,
        Kind.SUMMARY,
    ]
    (planar,) = make_objects(study, [Kind.REPORT], planar=True)
    assert planar.sop_instance_uid not in after


def test_times_are_of_the_zone_that_the_original_names(desk: TestDesk) -> None:
    (ds,) = small_study(7, 1)
    ds.TimezoneOffsetFromUTC = "+0900"
    study = screened(desk, desk.file(ds, Prediction(0.9)))
    (report,) = make_objects(study, [Kind.REPORT])
    local = study.decided_at.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert report.dataset.ContentTime == local.strftime("%H%M%S")
    assert report.dataset.ContentDate == local.strftime("%Y%m%d")


def test_what_is_no_image_or_of_no_series_is_told_without_a_reference(
    desk: TestDesk, tmp_path: Path
) -> None:
    film, lost, document = small_study(8, 3)
    scorer = replace(SCORER, identity=ModelIdentity("Knochen-Prüfer", "0.1 ü", "c" * 64))
    uid = desk.file(film, Prediction(0.9), heat(), scorer)
    del lost.SeriesInstanceUID
    desk.file(lost, Prediction(0.9), heat(), scorer)
    document.SOPClassUID = EncapsulatedPDFStorage
    for name in ("Rows", "Columns", "PixelData"):
        delattr(document, name)
    desk.file(document, Exclusion(Reason.NOT_A_RADIOGRAPH))
    made = make_objects(screened(desk, uid), list(Kind))
    kinds = sorted(each.kind for each in made)
    assert kinds == ["capture", "capture", "key_images", "outline", "report", "summary"]
    _, *told = groups(made[0].dataset)
    named = [said(group).get("image") for group in told]
    assert named == [str(film.SOPInstanceUID), None, None]
    texts = {item.get("TextValue") for group in told for item in group.ContentSequence}
    assert {f"instance {each.SOPInstanceUID}" for each in (lost, document)} < texts
    assert "Knochen-Prufer" in str(told[0])
    require_valid(made, tmp_path)
