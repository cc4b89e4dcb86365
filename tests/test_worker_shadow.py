from __future__ import annotations

import io
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from reading_room import Room
from rich.console import Console
from sqlalchemy import select

from models.bundle import METADATA, find_bundle, read_bundle
from models.classifier import Classifier, load_classifier
from models.transforms import PreparedImage
from nightread.check_model import check_shadow
from nightread.finding import Level
from phantoms.load import small_study
from screening.domain.instance import InstanceState
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.dossier import Dossier
from screening.records.result_schema import ShadowScoreRow
from screening.settings import Settings
from worker.shadow import Shadow
from worklist.objects import dossier_object
from worklist.study_sheet import study_sheet


def counted(room: Room) -> tuple[int, int]:
    """Count the images that a shadow gave a score, and those that it gave none."""
    with room.records.read() as session:
        said = session.scalars(select(ShadowScoreRow.probability)).all()
    return sum(each is not None for each in said), said.count(None)


@pytest.fixture(scope="module")
def first() -> Classifier:
    return load_classifier("mobilenet_v2")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle: the same weights, a version and a calibration of its own."""
    copied = tmp_path_factory.mktemp("bundles") / "newer"
    bundle = Path(shutil.copytree(find_bundle("mobilenet_v2"), copied))
    metadata = json.loads((bundle / METADATA).read_text())
    metadata["version"] = "99.0"
    metadata["nightread"].pop("settings_sha256", None)
    metadata["nightread"]["calibration"]["bias"] += 3
    (bundle / METADATA).write_text(json.dumps(metadata))
    return bundle


@pytest.fixture
def room(settings: Settings, database_url: str, first: Classifier) -> Iterator[Room]:
    here = settings.model_copy(update={"database_url": database_url, "abstain_unlike": False})
    opened = Room(here, first)
    yield opened
    opened.records.close()


def shadow_of(bundle: Path | str) -> Shadow:
    found = Shadow.load(str(bundle), longest_seconds=60)
    assert found is not None
    return found


def said(dossier: Dossier) -> object:
    """All that a person is shown as a verdict, without times."""
    case = dossier.case
    scores = [
        (score.model_version, score.probability, score.verdict)
        for image in dossier.images
        for score in image.scores
    ]
    revisions = [(r.verdict, r.score, r.images_scored, r.model) for r in dossier.revisions]
    return case.verdict, case.score, case.model_version, case.revision, scores, revisions


def test_a_shadow_is_recorded_and_changes_nothing_that_is_shown(room: Room, newer: Path) -> None:
    images = list(small_study(1, images=2))
    study = room.receive(*images)
    room.pipeline(shadow=shadow_of(newer)).screen(study)
    dossier = room.dossier(images[0])
    assert [len(image.scores) for image in dossier.images] == [1, 1]
    for image in dossier.images:
        (beside,) = image.shadow_scores
        assert beside.model_version == "99.0"
        assert beside.probability is not None
        # A higher bias is a higher probability: it is the other bundle that spoke.
        assert beside.probability > image.scores[0].probability
    assert dossier.case.score == max(i.scores[0].probability for i in dossier.images)
    assert counted(room) == (2, 0)


def test_the_verdict_is_the_one_without_a_shadow(
    settings: Settings, first: Classifier, newer: Path, tmp_path: Path
) -> None:
    images = list(small_study(2, images=2))
    found = []
    for name, shadow in (("with", shadow_of(newer)), ("without", None)):
        here = settings.model_copy(update={"data_dir": tmp_path / name, "abstain_unlike": False})
        opened = Room(here, first)
        opened.pipeline(shadow=shadow).screen(opened.receive(*images))
        found.append(said(opened.dossier(images[0])))
        opened.records.close()
    assert found[0] == found[1]


class Broken(Classifier):
    """A shadow whose network cannot run."""

    def score(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        raise RuntimeError("the shadow is broken, and this may quote a header")


def test_a_shadow_that_fails_costs_no_image_its_score(room: Room, newer: Path) -> None:
    images = list(small_study(3, images=2))
    shadow = Shadow(Broken.from_bundle(read_bundle(newer)), longest_seconds=60)
    assert room.pipeline(shadow=shadow).screen(room.receive(*images)) == 2
    for image in room.dossier(images[0]).images:
        assert image.state is InstanceState.SCORED
        assert image.attempts == 1
        (beside,) = image.shadow_scores
        assert beside.probability is None
        assert beside.exclusion == Exclusion(Reason.ERROR, "RuntimeError")
    assert counted(room) == (0, 2)


def test_a_shadow_that_only_fails_is_given_up(room: Room, newer: Path) -> None:
    shadow = Shadow(Broken.from_bundle(read_bundle(newer)), longest_seconds=60)
    for index in range(7):
        (image,) = small_study(10 + index, images=1)
        assert room.pipeline(shadow=shadow).screen(room.receive(image)) == 1
    assert counted(room) == (0, 5)


def test_a_shadow_that_is_too_slow_is_given_up(room: Room, newer: Path) -> None:
    shadow = Shadow(load_classifier(newer), longest_seconds=0)
    for index in range(2):
        (image,) = small_study(20 + index, images=1)
        room.pipeline(shadow=shadow).screen(room.receive(image))
    assert counted(room) == (1, 0)


def test_a_shadow_may_be_the_first_classifier_itself(room: Room) -> None:
    images = list(small_study(4, images=2))
    room.pipeline(shadow=shadow_of("mobilenet_v2")).screen(room.receive(*images))
    for image in room.dossier(images[0]).images:
        (score,), (beside,) = image.scores, image.shadow_scores
        assert beside.model_version == score.model_version
        assert beside.probability == pytest.approx(score.probability, abs=1e-4)


def test_nothing_is_scored_twice_after_a_redelivery(room: Room, newer: Path) -> None:
    images = list(small_study(5, images=2))
    study = room.receive(*images)
    room.pipeline(shadow=shadow_of(newer)).screen(study)
    before = room.dossier(images[0])
    assert room.pipeline(shadow=shadow_of(newer)).screen(study) == 0
    assert room.dossier(images[0]) == before


def test_a_shadow_may_be_switched_off(room: Room, newer: Path) -> None:
    one, another = small_study(6, images=2)
    study = room.receive(one)
    room.pipeline(shadow=shadow_of(newer)).screen(study)
    room.receive(another)
    room.pipeline().screen(study)
    found = {image.sop_instance_uid: image for image in room.dossier(one).images}
    assert len(found[str(one.SOPInstanceUID)].shadow_scores) == 1
    assert found[str(another.SOPInstanceUID)].shadow_scores == ()
    assert all(image.state is InstanceState.SCORED for image in found.values())


def test_a_shadow_is_in_json_apart_from_the_scores_and_not_on_the_sheet(
    room: Room, newer: Path
) -> None:
    (image,) = small_study(7, images=1)
    room.pipeline(shadow=shadow_of(newer)).screen(room.receive(image))
    dossier = room.dossier(image)
    written = json.loads(json.dumps(dossier_object(dossier)))
    (beside,) = written["images"][0]["shadow_scores"]
    assert beside["model_version"] == "99.0"
    assert [score["model_version"] for score in written["images"][0]["scores"]] != ["99.0"]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(study_sheet(dossier))
    assert "99.0" not in console.export_text()


def test_a_shadow_that_cannot_be_loaded_is_none_and_said(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert Shadow.load(str(tmp_path / "nowhere"), longest_seconds=60) is None
    (finding,) = check_shadow(settings.model_copy(update={"shadow_model": str(tmp_path)}))
    assert finding.level is Level.WARN
    assert "NIGHTREAD_SHADOW_MODEL" in finding.detail
    assert "without it" in finding.detail


def test_the_doctor_looks_at_a_shadow_only_where_there_is_one(
    settings: Settings, newer: Path
) -> None:
    assert list(check_shadow(settings)) == []
    (finding,) = check_shadow(settings.model_copy(update={"shadow_model": str(newer)}))
    assert finding.level is Level.OK
    assert "99.0" in finding.detail
