from __future__ import annotations

import datetime as dt
import io
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from reading_room import Room
from sqlalchemy.orm import Session

from models.bundle import read_bundle
from models.classifier import Classifier, Evidence, load_classifier
from models.screener import Screener
from models.transforms import PreparedImage
from phantoms.load import small_study
from screening.dicom.pixels import read_pixels
from screening.domain.instance import InstanceState
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import FLAGGED, Verdict
from screening.errors import OutOfSpaceError, RecordsError
from screening.records.engine import Records
from screening.records.retry import retry_study
from screening.settings import Settings
from worker import pipeline as pipeline_module
from worker import recorder as recorder_module
from worker.batch import Batch
from worker.pipeline import Pipeline
from worker.readers import Readers
from worker.reading import Reading, Request


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


@pytest.fixture
def room(settings: Settings, classifier: Classifier) -> Iterator[Room]:
    opened = Room(settings, classifier)
    yield opened
    opened.records.close()


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_BACK_OFF", dt.timedelta(0))


def test_each_image_is_scored_and_the_study_has_its_verdict(room: Room) -> None:
    images = list(small_study(1, images=3))
    assert room.pipeline().screen(room.receive(*images)) == 3
    dossier = room.dossier(images[0])
    assert [image.state for image in dossier.images] == [InstanceState.SCORED] * 3
    scores = [image.scores[0] for image in dossier.images]
    assert dossier.case.score == max(score.probability for score in scores)
    assert {(s.model, s.model_version) for s in scores} == {
        (room.classifier.identity.name, room.classifier.identity.version)
    }
    for score in scores:
        assert score.verdict is room.classifier.points.verdict(score.probability)
        assert 0 <= (score.hottest_x or 0) <= 1


def test_a_second_run_finds_nothing_to_do_and_changes_nothing(room: Room) -> None:
    images = list(small_study(2, images=2))
    study = room.receive(*images)
    room.pipeline().screen(study)
    before = room.dossier(images[0])
    assert room.pipeline().screen(study) == 0
    assert room.dossier(images[0]) == before


def test_a_later_image_revises_the_verdict(room: Room) -> None:
    first, second = small_study(3, images=2)
    study = room.receive(first)
    room.pipeline().screen(study)
    room.receive(second)
    room.pipeline().screen(study)
    assert [r.images_received for r in room.dossier(first).revisions] == [1, 2]


def test_scores_do_not_depend_on_the_batch(room: Room, settings: Settings) -> None:
    images = list(small_study(4, images=5))
    study = room.receive(*images)
    room.pipeline().screen(study)
    together = [image.scores[0].probability for image in room.dossier(images[0]).images]
    alone = []
    for image in room.dossier(images[0]).images:
        prepared = room.classifier.prepare(read_pixels(room.archive.path(image.digest)))
        alone.append(room.classifier.score([prepared])[0].probability)
    assert together == pytest.approx(alone, abs=1e-4)


def chest(ds: Dataset) -> None:
    ds.BodyPartExamined = "CHEST"


def infant(ds: Dataset) -> None:
    ds.PatientAge = "010M"


def pixelless(ds: Dataset) -> None:
    del ds.PixelData


def blank(ds: Dataset) -> None:
    ds.PixelData = bytes(len(ds.PixelData))


def short(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]


def ours(ds: Dataset) -> None:
    ds.Manufacturer = "Nightread"
    ds.ImageType = ["DERIVED", "SECONDARY"]


def tiny(ds: Dataset) -> None:
    ds.Rows = ds.Columns = 10
    ds.PixelData = ds.PixelData[:200]


def two_frames(ds: Dataset) -> None:
    ds.NumberOfFrames = 2
    ds.PixelData = ds.PixelData * 2


@pytest.mark.filterwarnings("ignore:.*:UserWarning:pydicom")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (chest, Reason.BODY_PART_OUT_OF_SCOPE),
        (infant, Reason.BELOW_AGE),
        (pixelless, Reason.NO_PIXEL_DATA),
        (blank, Reason.BLANK_OR_SATURATED),
        (short, Reason.CANNOT_DECODE),
        (ours, Reason.DERIVED_BY_US),
        (tiny, Reason.TOO_SMALL),
        (two_frames, Reason.MULTI_FRAME),
    ],
)
def test_an_image_that_should_not_be_scored_has_its_reason_and_its_neighbour_its_score(
    room: Room, change: Callable[[Dataset], None], reason: Reason
) -> None:
    odd, ordinary = list(small_study(5, images=2))
    change(odd)
    assert room.pipeline().screen(room.receive(odd, ordinary)) == 2
    found = {image.sop_instance_uid: image for image in room.dossier(odd).images}
    excluded = found[str(odd.SOPInstanceUID)]
    assert excluded.state is InstanceState.NOT_SCORED
    assert excluded.exclusion is not None
    assert excluded.exclusion.reason is reason
    assert found[str(ordinary.SOPInstanceUID)].state is InstanceState.SCORED


def test_an_image_whose_file_is_gone_is_listed_after_its_attempts(
    room: Room, no_back_off: None
) -> None:
    gone, ordinary = list(small_study(6, images=2))
    study = room.receive(gone, ordinary)
    (digest,) = [
        image.digest
        for image in room.dossier(gone).images
        if image.sop_instance_uid == gone.SOPInstanceUID
    ]
    room.archive.path(digest).unlink()
    room.pipeline().screen(study)
    (missing, scored) = sorted(room.dossier(gone).images, key=lambda i: i.digest != digest)
    assert missing.exclusion is not None
    assert missing.exclusion.reason is Reason.ERROR
    assert "send the image again" in missing.exclusion.detail
    assert missing.attempts == room.settings.maximum_attempts
    assert scored.state is InstanceState.SCORED


def test_an_archive_that_is_away_costs_no_image_its_score(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_OUTAGE", dt.timedelta(milliseconds=1))
    monkeypatch.setattr(pipeline_module, "_LONGEST_TURN_SECONDS", 0.5)
    images = list(small_study(10, images=2))
    study = room.receive(*images)
    instances = room.settings.archive_dir / "instances"
    away = instances.rename(instances.with_name("unmounted"))
    assert room.pipeline().screen(study) == 0
    waiting = room.dossier(images[0]).images
    assert [image.state for image in waiting] == [InstanceState.WAITING] * 2
    assert {image.attempts for image in waiting} == {0}
    assert "mounted" in str(waiting[0].last_error)
    away.rename(instances)
    assert room.pipeline().screen(study) == 2


def test_a_disk_without_room_for_a_copy_costs_no_image_its_score(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_OUTAGE", dt.timedelta(milliseconds=1))
    monkeypatch.setattr(pipeline_module, "_LONGEST_TURN_SECONDS", 0.5)
    (image,) = small_study(12, images=1)
    study = room.receive(image)

    def full(digest: str) -> Path:
        raise OutOfSpaceError("the disk is full: make room")

    with monkeypatch.context() as patched:
        patched.setattr(room.archive, "open_path", full)
        assert room.pipeline().screen(study) == 0
    (waiting,) = room.dossier(image).images
    assert (waiting.state, waiting.attempts) == (InstanceState.WAITING, 0)
    assert room.pipeline().screen(study) == 1


def test_a_file_that_cannot_be_read_is_listed_and_does_not_wait_for_ever(
    room: Room, no_back_off: None
) -> None:
    (image,) = small_study(11, images=1)
    study = room.receive(image)
    (held,) = room.dossier(image).images
    path = room.archive.path(held.digest)
    path.unlink()
    path.mkdir()  # not a file: reading it fails for this image alone
    room.pipeline().screen(study)
    (left,) = room.dossier(image).images
    assert left.exclusion is not None
    assert left.exclusion.reason is Reason.ERROR


class OutOfMemory(Classifier):
    """A classifier that can score one image at a time and no more."""

    def examine(self, images: Sequence[PreparedImage]) -> list[Evidence]:
        if len(images) > 1:
            raise MemoryError
        return super().examine(images)


def test_a_batch_that_fails_is_tried_image_by_image(
    room: Room, classifier: Classifier, no_back_off: None
) -> None:
    images = list(small_study(7, images=3))
    study = room.receive(*images)
    limited = OutOfMemory.from_bundle(read_bundle("mobilenet_v2"))
    assert room.pipeline(limited).screen(study) == 3
    assert all(i.state is InstanceState.SCORED for i in room.dossier(images[0]).images)


def test_a_worker_that_dies_each_time_leaves_a_reason(room: Room) -> None:
    (image,) = list(small_study(8, images=1))
    study = room.receive(image)
    pipeline = room.pipeline()
    # Claimed and never finished, as often as there are attempts: what kill -9 leaves behind.
    hasty = room.settings.model_copy(update={"lease_seconds": 0.0})
    for _ in range(room.settings.maximum_attempts):
        claimed = room.pipeline(settings=hasty, worker="doomed")._claim(study)
        assert len(claimed.claimed) == 1
    assert pipeline.screen(study) == 1
    (left,) = room.dossier(image).images
    assert left.exclusion == Exclusion(Reason.ERROR, "no attempt came to its end")
    assert left.attempts == room.settings.maximum_attempts


def test_no_error_quotes_the_patient(
    room: Room,
    no_back_off: None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (image,) = list(small_study(9, images=1))
    image.PatientName = "Unmistakable^Name"
    image.WindowCenter, image.WindowWidth = 1, 0
    image.PixelData = image.PixelData[:-7]
    room.pipeline().screen(room.receive(image))
    said = capsys.readouterr()
    assert "Unmistakable" not in said.out + said.err + caplog.text


def test_a_real_film_is_scored_the_same_in_every_lossless_encoding(
    room: Room, test_data: Path
) -> None:
    films = sorted((test_data / "dicom").rglob("RG3_*"))
    probabilities = {}
    for film in films:
        # JPEG 2000 is read at half its size: below.
        if film.stem.split("_")[1] not in {"JLSL", "JPLL", "RLE"}:
            continue
        ds = pydicom.dcmread(film)
        ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.{len(probabilities)}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.StudyInstanceUID = ds.SOPInstanceUID
        room.pipeline().screen(room.receive(ds))
        (image,) = room.dossier(ds).images
        probabilities[film.stem] = image.scores[0].probability
        assert room.dossier(ds).case.verdict in {Verdict.SUSPECTED, Verdict.DOUBTFUL, Verdict.CLEAR}
    assert len(probabilities) >= 3
    assert len(set(probabilities.values())) == 1


def test_a_batch_spans_studies_and_each_has_its_verdict(room: Room) -> None:
    from screening.records import outbox

    first, second = list(small_study(12, images=2)), list(small_study(13, images=2))
    announced = room.receive(*first)
    other = room.receive(*second)
    with room.records.begin() as session:
        outbox.mark_sent(session, [other], dt.datetime.now(dt.UTC))
    assert room.pipeline().screen(announced) == 4
    for images in (first, second):
        assert room.dossier(images[0]).case.images_scored == 2


def test_a_poisoned_image_takes_down_neither_its_study_nor_the_worker(
    room: Room, no_back_off: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader dies at each attempt, as in a decoder that crashes."""
    monkeypatch.setattr(pipeline_module, "_LONGEST_TURN_SECONDS", 200.0)
    poison, ordinary = list(small_study(14, images=2))
    study = room.receive(poison, ordinary)
    pipeline = room.pipeline()
    real = Readers.read

    def crash(readers: Readers, request: Request) -> Future[Reading]:
        reading = real(readers, request)
        if request.sop_instance_uid == poison.SOPInstanceUID:
            (reader,) = readers._readers
            reading.result()
            assert reader._process is not None
            reader._process.send_signal(signal.SIGSTOP)
            reading = real(readers, request)
            reader._process.kill()
        return reading

    monkeypatch.setattr(Readers, "read", crash)
    pipeline.screen(study)
    images = {image.sop_instance_uid: image for image in room.dossier(poison).images}
    left = images[str(poison.SOPInstanceUID)]
    assert left.exclusion == Exclusion(Reason.ERROR, "its reader died of SIGKILL while reading")
    assert left.attempts == room.settings.maximum_attempts
    assert images[str(ordinary.SOPInstanceUID)].state is InstanceState.SCORED

    monkeypatch.setattr(Readers, "read", real)
    with room.records.begin() as session:
        assert retry_study(session, study, [Reason.ERROR], dt.datetime.now(dt.UTC)) == 1
    assert room.pipeline().screen(study) == 1
    dossier = room.dossier(poison)
    assert {image.state for image in dossier.images} == {InstanceState.SCORED}
    assert dossier.case.images_scored == 2


def test_what_is_flagged_has_its_heatmap_and_every_image_its_quality(
    room: Room, test_data: Path
) -> None:
    flagged = pydicom.dcmread(next((test_data / "dicom").rglob("RG3_RLE*")))
    room.pipeline().screen(room.receive(flagged))
    (image,) = room.dossier(flagged).images
    (score,) = image.scores
    assert score.verdict in FLAGGED
    assert score.heatmap is not None
    picture = Image.open(io.BytesIO(score.heatmap.picture))
    assert max(picture.size) == 64
    assert picture.size[0] / picture.size[1] == pytest.approx(flagged.Columns / flagged.Rows, 0.03)
    assert len(score.heatmap.picture) < 4096
    assert 0 <= score.heatmap.outside_share <= 1
    assert image.quality is not None
    assert image.quality.longer_side == max(flagged.Rows, flagged.Columns)
    assert 0 < image.quality.contrast <= 1


def test_a_blank_image_has_a_quality_and_no_doubts(room: Room) -> None:
    (image,) = small_study(15, images=1)
    blank(image)
    room.pipeline().screen(room.receive(image))
    (found,) = room.dossier(image).images
    assert found.quality is not None
    assert found.quality.contrast == 0
    assert found.doubts == ()


def test_a_close_call_in_jpeg_2000_is_decoded_whole(
    room: Room, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = pydicom.dcmread(next((test_data / "dicom").rglob("RG3_J2KR*")))
    asked: list[bool] = []
    real = Readers.read

    def listen(readers: Readers, request: Request) -> Future[Reading]:
        asked.append(request.exact)
        return real(readers, request)

    monkeypatch.setattr(Readers, "read", listen)
    monkeypatch.setattr(Screener, "is_close", lambda *_: True)
    room.pipeline().screen(room.receive(film))
    assert asked == [False, True]
    (image,) = room.dossier(film).images
    pixels = read_pixels(room.archive.path(image.digest))
    (exact,) = room.classifier.score([room.classifier.prepare(pixels)])
    assert image.scores[0].probability == pytest.approx(exact.probability, abs=1e-5)


def test_a_second_look_that_fails_costs_no_other_image_its_score(
    room: Room, test_data: Path, monkeypatch: pytest.MonkeyPatch, no_back_off: None
) -> None:
    film = pydicom.dcmread(next((test_data / "dicom").rglob("RG3_J2KR*")))
    (other,) = small_study(7, images=1)
    real, looks = Screener.score, []

    def fail_once(screener: Screener, *arguments: Any) -> Any:  # noqa: ANN401
        looks.append(len(arguments[0]))
        if len(looks) == 2:
            raise RuntimeError("out of luck")
        return real(screener, *arguments)

    monkeypatch.setattr(Screener, "score", fail_once)
    monkeypatch.setattr(Screener, "is_close", lambda *_: True)
    other.StudyInstanceUID = film.StudyInstanceUID
    room.pipeline().screen(room.receive(film, other))
    images = {image.sop_instance_uid: image for image in room.dossier(film).images}
    found, neighbour = images[film.SOPInstanceUID], images[other.SOPInstanceUID]
    assert looks[:2] == [2, 1]
    assert (found.state, found.attempts) == (InstanceState.SCORED, 2)
    assert (neighbour.state, neighbour.attempts) == (InstanceState.SCORED, 1)


def test_a_film_in_jpeg_2000_has_the_verdict_of_the_same_film_in_rle(
    room: Room, test_data: Path
) -> None:
    found = []
    for encoding in ("J2KR", "RLE"):
        film = pydicom.dcmread(next((test_data / "dicom").rglob(f"RG3_{encoding}*")))
        film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = f"1.2.{len(found)}"
        film.StudyInstanceUID = f"1.3.{len(found)}"
        room.pipeline().screen(room.receive(film))
        found.append(room.dossier(film).images[0].scores[0])
    assert found[0].verdict is found[1].verdict


def away_at_first(monkeypatch: pytest.MonkeyPatch, times: int) -> list[object]:
    """Have the database refuse so many writes of a batch, and return what it was asked to write."""
    real, asked = Records.repeat, list[object]()

    def repeat(records: Records, work: Callable[[Session], None]) -> None:
        asked.append(work)
        if len(asked) <= times:
            raise RecordsError("the database does not answer")
        real(records, work)

    monkeypatch.setattr(Records, "repeat", repeat)
    return asked


def test_a_result_waits_for_a_database_that_is_away_for_a_moment(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = small_study(16, images=1)
    study = room.receive(image)
    pipeline = room.pipeline()
    monkeypatch.setattr(recorder_module, "_BETWEEN_TRIES_SECONDS", 0.01)
    asked = away_at_first(monkeypatch, times=3)
    assert pipeline.screen(study) == 1
    assert len(asked) == 4
    (scored,) = room.dossier(image).images
    assert (scored.state, scored.attempts) == (InstanceState.SCORED, 1)


def test_a_database_that_stays_away_costs_the_next_batch_no_attempt(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(small_study(17, images=2))
    study = room.receive(*images)
    one_by_one = room.settings.model_copy(update={"batch_images": 1})
    monkeypatch.setattr(recorder_module, "_LONGEST_OUTAGE_SECONDS", 0.0)
    away_at_first(monkeypatch, times=1)
    with pytest.raises(RecordsError):
        room.pipeline(settings=one_by_one).screen(study)
    assert sorted(image.attempts for image in room.dossier(images[0]).images) == [0, 1]


def test_scores_are_the_same_on_one_worker_and_on_four_and_after_a_crash(
    settings: Settings, classifier: Classifier, tmp_path: Path
) -> None:
    images = list(small_study(18, images=8))
    found: dict[str, list[float]] = {}
    for way in ("one", "four", "after a crash"):
        room = Room(settings.model_copy(update={"data_dir": tmp_path / way}), classifier)
        study = room.receive(*images)
        workers = [room.pipeline(worker="first")]
        if way == "four":
            two_each = settings.model_copy(update={"batch_images": 2})
            workers = [
                room.pipeline(load_classifier("mobilenet_v2"), settings=two_each, worker=str(n))
                for n in range(4)
            ]
        elif way == "after a crash":
            hasty = settings.model_copy(update={"lease_seconds": 0.0})
            doomed = room.pipeline(settings=hasty, worker="doomed")
            assert len(doomed._claim(study).claimed) == 8
        with ThreadPoolExecutor(len(workers)) as threads:
            settled = list(threads.map(Pipeline.screen, workers, [study] * len(workers)))
        assert sum(settled) == 8
        dossier = room.dossier(images[0])
        found[way] = [image.scores[0].probability for image in dossier.images]
        room.records.close()
    assert found["four"] == pytest.approx(found["one"], abs=1e-4)
    assert found["after a crash"] == pytest.approx(found["one"], abs=1e-4)


def test_a_next_batch_that_cannot_be_claimed_costs_the_one_at_hand_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(small_study(19, images=2))
    study = room.receive(*images)
    pipeline = room.pipeline(settings=room.settings.model_copy(update={"batch_images": 1}))
    real, asked = Pipeline._claim, 0

    def away_once(given: Pipeline, row: int) -> Batch:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise RecordsError("the database does not answer")
        return real(given, row)

    monkeypatch.setattr(Pipeline, "_claim", away_once)
    assert pipeline.screen(study) == 2
    assert [image.attempts for image in room.dossier(images[0]).images] == [1, 1]
