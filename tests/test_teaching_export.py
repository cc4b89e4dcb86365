from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import TestDesk
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table_e_1_1
from kept_studies import ADMIN
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from sqlalchemy import select
from typer.testing import CliRunner

from models.dataset import read_split
from models.input_settings import InputSettings
from models.optimisation import Cycle, OptimisationSettings
from models.recipe import Recipe
from models.training import train
from night.retention_run import RetentionRun
from nightread.console import make_console
from phantoms.load import small_study
from phantoms.samples import write_samples
from phantoms.study import save
from screening.dicom.pixels import read_pixels
from screening.domain.account import User
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.domain.retention import Policy, Rule
from screening.domain.review import Finding, Opinion
from screening.errors import ExportError, NightreadError
from screening.records.audit import read_audit
from screening.records.identities import merge
from screening.records.keeping_schema import RemovalRow
from screening.records.reviews import add_review, take_back
from screening.records.schema import InstanceRow
from screening.records.surviving import Identifier
from screening.settings import Settings
from screening.teaching.anatomy import anatomy_of
from screening.teaching.choices import Choices
from screening.teaching.export import write_anew
from screening.teaching.film import read_film
from screening.teaching.folder import ExportFolder
from screening.teaching.profile import Place, deidentified
from screening.teaching.pseudonyms import Pseudonyms, open_pseudonyms

PSEUDONYMS = Pseudonyms(bytes(range(32)))
EVERYTHING = Choices(keep_characteristics=True, shift_dates=True, allow_burned_in=True)
SECRET = "ZQXJ"
"""In every text of an original: nothing that we write holds it."""


def _value(vr: str, tag: int) -> Any:  # noqa: ANN401
    """Return a value that gives an original away, of whatever kind."""
    if vr == "SQ":
        item = Dataset()
        item.PatientName = f"{SECRET}^NESTED"
        item.ReferencedSOPInstanceUID = "1.2.3.987654321"
        inner = Dataset()
        inner.PatientID = f"{SECRET}-DEEP"
        item.add_new(0x00091001, "LO", f"{SECRET} private")
        item.OtherPatientIDsSequence = [inner]
        return [item]
    return {
        "DA": "19870605",
        "TM": "040506",
        "DT": "19870605040506",
        "UI": f"1.2.3.987654321.{tag}",
        "PN": f"{SECRET}^PERSON",
        "AS": "037Y",
        "DS": "98765.4321",
        "IS": "987654321",
        "CS": f"{SECRET}_CODE",
        "AE": SECRET,
        "SH": SECRET,
        "UR": f"http://{SECRET}",
        "OB": SECRET.encode(),
        "OW": SECRET.encode(),
        "UN": SECRET.encode(),
        "US": 54321,
        "SS": 4321,
        "UL": 987654321,
        "FL": 98765.0,
        "FD": 98765.0,
    }.get(vr, f"{SECRET} text of {tag:08X}")


def told(ds: Dataset) -> Dataset:
    """Fill in everything that Table E.1-1 of PS3.15 names, and more."""
    kept = {tag: ds[tag] for tag in (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in table_e_1_1.ALL_TAGS:
            tag = found[0] << 16 | found[1]
            if (
                len(found) != 2
                or found[0] < 8
                or found[0] in (0x5400, 0x7FE0)
                or not keyword_for_tag(tag)
            ):
                continue
            vr = dictionary_VR(tag).split(" or ")[0]
            if tag not in kept:
                ds.add_new(tag, vr, _value(vr, tag))
        ds.PatientID, ds.PatientAge, ds.PatientSex = f"{SECRET}-ID", "034Y", "F"
        ds.BodyPartExamined = f"HAND {SECRET}"
        ds.ViewPosition, ds.ImageType = SECRET, ["ORIGINAL", "PRIMARY", SECRET]
        ds.WindowCenterWidthExplanation = SECRET
        ds.PatientComments = ds.ImageComments = f"{SECRET} Ω"
        ds.SpecificCharacterSet = "ISO_IR 192"
        block = ds.private_block(0x0009, f"{SECRET} VENDOR", create=True)
        block.add_new(1, "LO", f"{SECRET} private")
        ds.add_new(0x60000010, "US", 16)
        ds.add_new(0x60003000, "OW", SECRET.encode() * 8)
        ds.add_new(0x60004000, "LT", SECRET)
    return ds


def phantom(number: int = 1, **elements: object) -> Dataset:
    (ds,) = small_study(number, 1, side=96)
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def anew(ds: Dataset, folder: Path, choices: Choices = Choices()) -> tuple[Path, Path]:  # noqa: B008
    source, target = folder / "original.dcm", folder / "anew.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(ds, source)
    write_anew(source, target, Place("P1", 1), PSEUDONYMS, choices)
    return source, target


def _texts(ds: Dataset) -> Iterator[str]:
    """Return each value of an original that could give somebody away, items included."""
    for element in ds.iterall():
        if element.VR in ("SQ", "US", "SS", "OB", "OW", "CS") or element.tag == 0x00080016:
            continue
        for value in element.value if isinstance(element.value, list) else [element.value]:
            if len(str(value)) >= 6:
                yield str(value)


@pytest.mark.parametrize("choices", [Choices(), EVERYTHING])
def test_no_byte_of_an_original_that_names_anybody_is_in_its_copy(
    tmp_path: Path, choices: Choices
) -> None:
    ds = told(phantom())
    texts = set(_texts(ds)) - {"85562004"}  # a hand
    assert len(texts) > 250
    source, target = anew(ds, tmp_path, choices)
    content = target.read_bytes()
    assert source.read_bytes().count(SECRET.encode()) > 300
    assert SECRET.encode() not in content
    assert [text for text in texts if text.encode() in content] == []


@pytest.mark.parametrize("choices", [Choices(), EVERYTHING])
def test_every_attribute_of_the_table_is_gone_empty_or_another(
    tmp_path: Path, choices: Choices
) -> None:
    ds = told(phantom())
    _, target = anew(ds, tmp_path, choices)
    made = dcmread(target)
    kept = {"PatientSex", "PatientAge"} if choices.keep_characteristics else set()
    listed = {found[0] << 16 | found[1] for found in table_e_1_1.ALL_TAGS if len(found) == 2}
    # These are lists of our own codes, not the original's.
    ours = {"DeidentificationMethodCodeSequence", "AcquisitionContextSequence"}
    same = [
        element.keyword
        for element in made
        if element.tag in listed and element.value and element == ds.get(element.tag)
    ]
    assert set(same) - kept - ours == set()
    assert not any(element.tag.is_private for element in made.iterall())
    assert not any(element.tag.group >> 8 == 0x60 for element in made)


def test_the_copy_says_how_it_was_made(tmp_path: Path) -> None:
    _, target = anew(phantom(), tmp_path, EVERYTHING)
    made = dcmread(target)
    assert made.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113108"]
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    assert (
        dcmread(anew(phantom(), tmp_path)[1]).LongitudinalTemporalInformationModified == "REMOVED"
    )


def test_a_copy_shows_what_its_original_shows(tmp_path: Path) -> None:
    for study in write_samples(tmp_path / "samples"):
        path, target = study.paths[0], tmp_path / "anew.dcm"
        if study.expected[0] == "scored":
            write_anew(path, target, Place("P1", 1), PSEUDONYMS, Choices())
            assert np.array_equal(read_pixels(path), read_pixels(target)), study.description


def test_text_in_unused_bits_and_behind_the_pixels_does_not_leave(tmp_path: Path) -> None:
    ds = phantom()
    words = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns).copy()
    words[:20, :20] |= 0xF000  # an overlay of old, above the 12 bits of the image
    ds.PixelData = words.tobytes() + SECRET.encode()
    ds.add_new(0x60000102, "US", 12)
    _, target = anew(ds, tmp_path)
    made = dcmread(target)
    assert int(made.pixel_array.max()) < 1 << 12
    assert len(made.PixelData) == 2 * made.Rows * made.Columns


def test_a_comment_in_a_codestream_does_not_leave(tmp_path: Path) -> None:
    import io

    ds = phantom()
    picture = Image.fromarray((ds.pixel_array >> 4).astype(np.uint8))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", comment=SECRET)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([stream.getvalue()])
    ds["PixelData"].is_undefined_length = True
    ds.WindowCenter, ds.WindowWidth = 128, 256
    source = tmp_path / "jpeg.dcm"
    ds.save_as(source, enforce_file_format=True)
    assert SECRET.encode() in source.read_bytes()
    write_anew(source, tmp_path / "anew.dcm", Place("P1", 1), PSEUDONYMS, Choices())
    assert SECRET.encode() not in (tmp_path / "anew.dcm").read_bytes()
    assert dcmread(tmp_path / "anew.dcm").LossyImageCompression == "01"


def test_ages_above_ninety_are_ninety(tmp_path: Path) -> None:
    _, target = anew(phantom(PatientAge="097Y"), tmp_path, EVERYTHING)
    assert dcmread(target).PatientAge == "090Y"


def test_dates_move_by_the_patients_own_days_so_that_their_distance_stays(tmp_path: Path) -> None:
    days = []
    for date in ("20250106", "20250116"):
        _, target = anew(phantom(StudyDate=date), tmp_path, Choices(shift_dates=True))
        days.append(dt.datetime.strptime(dcmread(target).StudyDate, "%Y%m%d"))
    assert days[1] - days[0] == dt.timedelta(days=10)
    assert days[1] < dt.datetime(2025, 1, 16)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("LT HAND, MR SMITH", "HAND"),
        ("Fuß", "FOOT"),
        ("SMITH", ""),
        (None, ""),
        ("UPPER ARM", "HUMERUS"),
    ],
)
def test_a_body_part_is_a_word_of_ours(said: str | None, known: str) -> None:
    assert anatomy_of(said) == known


def test_another_key_gives_other_names() -> None:
    other = Pseudonyms(bytes(32))
    for name in ("uid", "file_name", "patient"):
        assert getattr(PSEUDONYMS, name)("1.2.3") != getattr(other, name)("1.2.3")
        assert getattr(PSEUDONYMS, name)("1.2.3") == getattr(PSEUDONYMS, name)("1.2.3")
    assert len(PSEUDONYMS.uid("1.2.3")) <= 64


def test_the_key_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "export.key"
    first = open_pseudonyms(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_pseudonyms(path) == first
    assert str(first.key) not in repr(first)
    assert [found.name for found in tmp_path.iterdir()] == ["export.key"]


def test_a_key_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.key"
    open_pseudonyms(path)
    path.chmod(0o640)
    with pytest.raises(ExportError, match="chmod 600"):
        open_pseudonyms(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ExportError, match="damaged"):
        open_pseudonyms(path)


@pytest.fixture
def desk(settings: Settings) -> Iterator[TestDesk]:
    made = TestDesk(settings)
    yield made
    made.close()


def review(
    desk: TestDesk,
    uid: str,
    reviewer: User,
    opinion: Opinion,
    image: str = "",
    **said: Any,  # noqa: ANN401
) -> None:
    with desk.records.begin() as session:
        add_review(
            session, uid, reviewer, opinion, desk.now, sop_instance_uid=image or None, **said
        )


def run(desk: TestDesk, *arguments: object, folder: Path) -> tuple[int, str, str]:
    """Run the command in this process: it would take longer to start than to do its work."""
    settings = {"NIGHTREAD_DATA_DIR": str(desk.settings.data_dir)}
    with contextlib.chdir(folder):
        ran = CliRunner().invoke(make_console(), ["export", *map(str, arguments)], env=settings)
    failed = isinstance(ran.exception, NightreadError)
    return ran.exit_code, ran.stdout, str(ran.exception) if failed else ran.stderr


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_are_the_reviewers_and_of_the_image_before_the_study(
    desk: TestDesk, tmp_path: Path
) -> None:
    reviewer = desk.add_user("r")
    pair = list(small_study(1, 2, side=96))
    (uid,) = {desk.file(ds, Prediction(0.9)) for ds in pair}
    review(desk, uid, reviewer, Opinion.AGREE)
    normal = str(pair[1].SOPInstanceUID)
    review(desk, uid, reviewer, Opinion.DISAGREE, normal, finding=Finding.NO_FRACTURE)
    missed, unsure, withdrawn = (desk.file(phantom(n), Prediction(0.01)) for n in (2, 3, 4))
    review(desk, missed, reviewer, Opinion.DISAGREE)
    review(desk, unsure, reviewer, Opinion.UNCERTAIN)
    review(desk, withdrawn, reviewer, Opinion.AGREE)
    with desk.records.begin() as session:
        take_back(session, withdrawn, reviewer, desk.now)
    code, said, _ = run(desk, uid, missed, unsure, withdrawn, "--to", "out", folder=tmp_path)
    assert code == 0
    assert said.startswith("5 images are in out: ")
    found = sorted((row["label"], row["source"]) for row in rows(tmp_path / "out" / "index.csv"))
    assert found == [
        ("fractured", "study_review"),
        ("fractured", "study_review"),
        ("not_fractured", "image_review"),
    ]
    assert len(rows(tmp_path / "out" / "images.csv")) == 5


def test_nothing_in_a_folder_names_anybody_and_the_audit_knows_who_left(
    desk: TestDesk, tmp_path: Path
) -> None:
    ds = told(phantom())
    uids = str(ds.StudyInstanceUID), str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.BurnedInAnnotation = "NO"
        desk.file(ds, Prediction(0.9))
    code, _, said = run(desk, "--flagged", "--to", "out", folder=tmp_path)
    assert code == 0, said
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == 3  # nobody labelled it: there is no index.csv
    for path in files:
        assert path.stat().st_mtime == 946_684_800
        for text in (SECRET, *uids, "PHANTOM", "19870605"):
            assert text not in str(path.relative_to(tmp_path))
            assert text.encode() not in path.read_bytes()
    key = desk.settings.export_key.read_bytes()
    assert not any(
        key in path.read_bytes() or key.hex().encode() in path.read_bytes() for path in files
    )
    report = json.loads((tmp_path / "out" / "export.json").read_text())
    assert report["complete"] is True
    assert report["images"] == report["patients"] == report["studies"] == 1
    assert report["removed"]["InstitutionName"] == 1
    assert report["removed"]["private"] == 2
    with desk.records.read() as session:
        (entry,) = read_audit(session, study_instance_uid=uids[0])
    assert entry.event == "deidentified"
    assert entry.actor.startswith("console:")


def test_what_may_show_or_mix_up_patients_is_refused_with_its_reason(
    desk: TestDesk, tmp_path: Path
) -> None:
    desk.file(phantom(1, BurnedInAnnotation="YES"), Prediction(0.9))
    capture = phantom(2, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="CR")
    capture.pop("BurnedInAnnotation", None)
    desk.file(capture, Prediction(0.9))
    pair = list(small_study(3, 2, side=96))
    pair[1].PatientID = "PHANTOM-OTHER"
    for ds in pair:
        desk.file(ds, Prediction(0.9))
    desk.file(phantom(4), Exclusion(Reason.TOO_SMALL, "40 x 40"))
    desk.file(phantom(5), None)
    gone = phantom(6)
    desk.file(gone, Prediction(0.9))
    desk.path_of(str(gone.SOPInstanceUID)).unlink()
    uids = [str(next(small_study(n, 1)).StudyInstanceUID) for n in range(1, 7)]
    code, said, _ = run(desk, *uids, "--to", "out", "--json", folder=tmp_path)
    assert code == 0
    found = json.loads(said)
    assert found["images"] == 0
    assert sorted(each["reason"] for each in found["refused"]) == [
        *("burned_in", "missing", "mixed_patients", "mixed_patients"),
        *("not_scored", "perhaps_burned_in", "waiting"),
    ]
    code, said, _ = run(desk, *uids[:2], "--to", "asked", "--allow-burned-in", folder=tmp_path)
    assert said.startswith("2 images are in asked")


def test_a_dry_run_writes_nothing_not_even_a_key(desk: TestDesk, tmp_path: Path) -> None:
    desk.file(phantom(), Prediction(0.9))
    code, said, _ = run(desk, "--flagged", "--to", "out", "--dry-run", folder=tmp_path)
    assert (code, said) == (0, "1 images would leave in out: 1 no label\n")
    assert not (tmp_path / "out").exists()
    assert not desk.settings.export_key.exists()


def test_an_export_goes_on_where_it_was_stopped_and_ends_the_same(
    desk: TestDesk, tmp_path: Path
) -> None:
    for number in range(3):
        desk.file(phantom(number), Prediction(0.9))
    assert run(desk, "--flagged", "--to", "out", folder=tmp_path)[0] == 0
    content = {
        path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if path.is_file()
    }
    first = sorted((tmp_path / "out" / "images").iterdir())[0]
    first.unlink()
    (tmp_path / "out" / "images.csv").unlink()
    (tmp_path / "out" / "images" / ".half.dcm.part").write_bytes(b"half")
    _, said, _ = run(desk, "--flagged", "--to", "out", "--json", folder=tmp_path)
    assert json.loads(said)["written"] == 1
    assert content == {
        path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if path.is_file()
    }


def test_what_became_another_patients_is_written_anew(desk: TestDesk, tmp_path: Path) -> None:
    for number, patient in enumerate(("OLD", "NEW"), 1):
        desk.file(phantom(number, PatientID=patient), Prediction(0.9))
    assert run(desk, "--flagged", "--to", "out", "--shift-dates", folder=tmp_path)[0] == 0
    with desk.records.begin() as session:
        merge(session, Identifier("OLD"), Identifier("NEW"), ADMIN, "registered twice", desk.now)
    _, said, _ = run(desk, "--flagged", "--to", "out", "--shift-dates", "--json", folder=tmp_path)
    assert json.loads(said)["written"] == 1
    table = rows(tmp_path / "out" / "images.csv")
    assert len({row["group"] for row in table}) == 1
    for row in table:
        assert dcmread(tmp_path / "out" / row["path"]).PatientID == row["group"]
    with desk.records.read() as session:
        events = [entry.event for entry in read_audit(session)]
    assert events.count("deidentified") == 3, "it left once more"


def remove_pixels(desk: TestDesk) -> None:
    later = desk.now + dt.timedelta(days=9)
    rule = Policy((Rule("short", 1),), "d" * 64)
    stopped = threading.Event()
    gone = RetentionRun(
        desk.records, desk.archive, rule, None, ADMIN, stopped, now=lambda: later
    ).run()
    assert gone.files == 1


def test_what_a_rule_removed_after_it_was_exported_stays_and_is_no_stranger(
    desk: TestDesk, tmp_path: Path
) -> None:
    desk.file(phantom(1), Prediction(0.9))
    assert run(desk, "--flagged", "--to", "out", folder=tmp_path)[0] == 0
    before = (tmp_path / "out" / "images.csv").read_text()
    remove_pixels(desk)
    code, said, why = run(desk, "--flagged", "--to", "out", folder=tmp_path)
    assert (code, said) == (0, "1 images are in out: 1 no label\n"), why
    assert (tmp_path / "out" / "images.csv").read_text() == before
    _, said, _ = run(desk, "--flagged", "--to", "new", "--json", folder=tmp_path)
    assert [each["reason"] for each in json.loads(said)["refused"]] == ["removed"]


def test_what_is_refused_by_now_is_no_stranger(desk: TestDesk, tmp_path: Path) -> None:
    ds = phantom(1)
    desk.file(ds, Prediction(0.9))
    assert run(desk, "--flagged", "--to", "out", folder=tmp_path)[0] == 0
    desk.path_of(str(ds.SOPInstanceUID)).unlink()
    code, said, why = run(desk, "--flagged", "--to", "out", folder=tmp_path)
    assert (code, "1 refused, missing" in said) == (0, True), why
    assert rows(tmp_path / "out" / "images.csv") == []


def test_an_image_that_is_to_be_removed_is_not_opened(desk: TestDesk, tmp_path: Path) -> None:
    desk.file(phantom(1), Prediction(0.9))
    with desk.records.begin() as session:
        (digest,) = session.scalars(select(InstanceRow.digest))
        session.add(
            RemovalRow(
                digest=digest, rule="short", policy="d" * 64, size_bytes=1, decided_at=desk.now
            )
        )
    _, said, _ = run(desk, "--flagged", "--to", "out", "--json", folder=tmp_path)
    assert [each["reason"] for each in json.loads(said)["refused"]] == ["removed"]


def test_a_folder_with_other_choices_or_other_things_is_not_touched(
    desk: TestDesk, tmp_path: Path
) -> None:
    uids = [desk.file(phantom(number), Prediction(0.9)) for number in range(2)]
    assert run(desk, *uids, "--to", "out", folder=tmp_path)[0] == 0
    code, _, said = run(desk, *uids, "--to", "out", "--shift-dates", folder=tmp_path)
    assert (code, "other choices" in said) == (1, True)
    code, _, said = run(desk, uids[0], "--to", "out", folder=tmp_path)
    assert (code, "1 images that are not among" in said) == (1, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    code, _, said = run(desk, uids[0], "--to", "mine", folder=tmp_path)
    assert (code, "no export" in said) == (1, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_two_exports_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path / "out", Choices(), "a")
    with folder.opened(), pytest.raises(ExportError, match="under way"), folder.opened():
        pass


def test_cases_are_chosen_by_name_by_a_list_or_by_what_was_said(
    desk: TestDesk, tmp_path: Path
) -> None:
    reviewer = desk.add_user("r")
    uids = [desk.file(phantom(number), Prediction(p)) for number, p in enumerate((0.9, 0.3, 0.01))]
    review(desk, uids[0], reviewer, Opinion.AGREE)
    review(desk, uids[2], reviewer, Opinion.DISAGREE)
    (tmp_path / "list.csv").write_text(f"score,study_instance_uid\n0.9,{uids[1]}\n0.1,{uids[2]}\n")
    for arguments, count in (
        (["--flagged"], 2),
        (["--reviewed"], 2),
        (["--disagreed"], 1),
        (["--reviewed-since", "1h", "--limit", 1], 1),
        (["--list", "list.csv"], 2),
        ([uids[0], uids[0]], 1),
    ):
        _, said, _ = run(desk, *arguments, "--to", "o", "--dry-run", "--json", folder=tmp_path)
        assert json.loads(said)["images"] == count
    code, _, said = run(desk, "1.2.3", "--to", "o", folder=tmp_path)
    assert (code, "never received" in said) == (1, True)
    assert run(desk, "--to", "o", folder=tmp_path)[0] == 2


def test_nightread_trains_on_what_was_exported(desk: TestDesk, tmp_path: Path) -> None:
    reviewer = desk.add_user("r")
    # So that each split has both classes: a patient's split hangs on the key alone.
    desk.settings.data_dir.mkdir(exist_ok=True)
    desk.settings.export_key.write_bytes(PSEUDONYMS.key)
    desk.settings.export_key.chmod(0o600)
    for number in range(24):
        pair = list(small_study(number, 2, side=96))
        (uid,) = {desk.file(ds, Prediction(0.9)) for ds in pair}
        review(desk, uid, reviewer, Opinion.AGREE if number % 2 else Opinion.DISAGREE)
    code, said, _ = run(
        desk, "--reviewed", "--to", "set", "--keep-characteristics", folder=tmp_path
    )
    assert code == 0, said
    table = rows(tmp_path / "set" / "index.csv")
    assert len(table) == 48
    splits: dict[str, set[str]] = {}
    for row in table:
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(splits) == 24
    assert all(len(found) == 1 for found in splits.values())
    assert {row["anatomy"] for row in table} == {"FOREARM", "HAND", "KNEE", "LEG"}
    assert {row["age_band"] for row in table} == {"40-49"}
    assert len(read_split(tmp_path / "set", "train")) > len(read_split(tmp_path / "set", "val"))
    recipe = Recipe(
        name="tiny",
        network="compact_cnn",
        seed=5,
        initial="random",
        input=InputSettings(size=32),
        optimisation=OptimisationSettings(cycles=(Cycle(1, 4e-4),), batch=8, precision="float32"),
    )
    folder = train(recipe, tmp_path / "set", tmp_path / "run")
    assert (folder.bundle / "models" / "model.safetensors").is_file()


def test_a_copy_is_an_object_that_a_validator_takes(tmp_path: Path) -> None:
    import shutil
    import subprocess

    from conftest import require

    program = shutil.which("dciodvfy")
    require(program, "no dciodvfy: install Debian's dicom3tools")
    _, target = anew(phantom(), tmp_path, EVERYTHING)
    assert program is not None
    said = subprocess.run([program, target], capture_output=True, text=True, check=False).stderr
    errors = [line for line in said.splitlines() if line.startswith("Error")]
    assert errors == []


def test_a_data_set_is_made_of_a_film_alone(tmp_path: Path) -> None:
    source, _ = anew(told(phantom()), tmp_path)
    made = deidentified(read_film(source), Place("P1", 7), PSEUDONYMS, Choices())
    assert made.PatientID == made.PatientName == "P1"
    assert made.InstanceNumber == 7
    assert made.SOPInstanceUID == PSEUDONYMS.uid(str(dcmread(source).SOPInstanceUID))
