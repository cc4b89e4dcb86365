"""A worker goes by the record: it follows an act without a restart, and never scores otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from console import nightread
from installation import Installation
from reading_room import Room, now
from second_bundle import write_second
from structlog.testing import capture_logs

from models.bundle import Bundle, read_bundle
from models.classifier import load_classifier
from nightread.check_model import appointed_here, check_model, check_shadow
from nightread.finding import Level
from phantoms.load import small_study, write_load
from screening.domain.account import Actor, Role
from screening.domain.appointment import Judge
from screening.errors import BundleError
from screening.queue.embedded import EmbeddedRedis
from screening.records import audit
from screening.records.canaries import ask_for_canaries
from screening.records.canary_schema import CanaryScoreRow
from screening.records.dossier import Image
from screening.records.engine import Records
from screening.records.promotion import Order, promote, roll_back
from screening.settings import Settings
from worker.appointed import look_at_models, require_champion
from worker.shadow import Shadow
from worker.tasks import ScoringProcess

ADA = Actor("ada", Role.ADMIN, "10.0.0.1")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return read_bundle(write_second(tmp_path_factory.mktemp("bundles")))


@pytest.fixture
def room(settings: Settings, second: Bundle) -> Iterator[Room]:
    """A room in which two images were scored by the model of the settings."""
    here = settings.model_copy(update={"shadow_model": str(second.path)})
    opened = Room(here, load_classifier("mobilenet_v2"))
    yield opened
    opened.records.close()


def appoint(records: Records, bundle: Bundle) -> None:
    with records.begin() as session:
        judge = Judge(bundle.identity, bundle.settings.operating_points)
        promote(session, judge, Order(ADA, "tried", now(), anyway=True))


def roll(records: Records) -> None:
    with records.begin() as session:
        roll_back(session, Order(ADA, "it flags everything", now()))


def receive(room: Room, seed: int) -> int:
    (image,) = small_study(seed, 1)
    return room.receive(image)


def scorers(room: Room) -> list[tuple[list[str], list[str]]]:
    """Return which models scored each image, as champion and as shadow, in order of arrival."""
    return [
        ([score.model for score in image.scores], [score.model for score in image.shadow_scores])
        for image in images(room)
    ]


def images(room: Room) -> list[Image]:
    from screening.records.case_filter import EVERYTHING
    from screening.records.cases import list_cases
    from screening.records.dossier import open_dossier

    with room.records.read() as session:
        found = [
            open_dossier(session, case.study_instance_uid)
            for case in list_cases(session, EVERYTHING, limit=None)
        ]
    of_all = [image for dossier in found if dossier for image in dossier.images]
    return sorted(of_all, key=lambda image: image.received_at)


def test_a_process_follows_each_act_at_its_next_batch(room: Room, second: Bundle) -> None:
    process = ScoringProcess(room.settings, threads=1)
    assert process.screen(receive(room, 1)) == 1
    appoint(room.records, second)
    assert process.screen(receive(room, 2)) == 1
    roll(room.records)
    assert process.screen(receive(room, 3)) == 1
    ours, theirs = "mobilenet_v2", second.name
    assert scorers(room) == [([ours], [theirs]), ([theirs], [ours]), ([ours], [theirs])]
    found = images(room)
    assert found[1].scores[0].model_digest == second.identity.digest
    assert found[1].scores[0].high_sensitivity == second.settings.operating_points.high_sensitivity
    assert process.screen(1) == 0, "who comes back reads nothing anew"
    process.pipeline().close()


def test_a_pipeline_claims_nothing_for_models_that_are_not_appointed(
    room: Room, second: Bundle
) -> None:
    pipeline = room.pipeline()
    pipeline.screen(receive(room, 1))
    appoint(room.records, second)
    study = receive(room, 2)
    assert pipeline.screen(study) == 0
    assert pipeline.is_superseded
    assert scorers(room)[1] == ([], [])
    assert [image.attempts for image in images(room)] == [1, 0]


def test_a_worker_without_the_champion_lets_images_wait_and_says_why(
    room: Room, second: Bundle, tmp_path: Path
) -> None:
    without = room.settings.model_copy(update={"shadow_model": ""})
    process = ScoringProcess(without, threads=1)
    process.screen(receive(room, 1))
    appoint(room.records, second)
    study = receive(room, 2)
    with pytest.raises(BundleError, match="NIGHTREAD_MODELS_DIR"):
        process.screen(study)
    with pytest.raises(BundleError, match=f"{second.name} {second.version} .* is appointed"):
        require_champion(room.records, without)
    assert scorers(room)[1] == ([], [])
    # Another worker has it, in its folder of models.
    models = tmp_path / "models"
    shutil.copytree(second.path, models / "any name")
    having = ScoringProcess(without.model_copy(update={"models_dir": models}), threads=1)
    assert having.screen(study) == 1
    assert scorers(room)[1] == ([second.name], [])
    roll(room.records)
    assert process.screen(receive(room, 3)) == 1, "it scores again with what it has"
    for each in (process, having):
        each.pipeline().close()


def test_a_folder_with_other_weights_of_that_name_is_not_the_champion(
    room: Room, second: Bundle, tmp_path: Path
) -> None:
    import torch

    room.pipeline().screen(receive(room, 1))
    appoint(room.records, second)
    torch.manual_seed(4)
    models = tmp_path / "models"
    models.mkdir()
    other = write_other(models, second.name)
    assert (other.name, other.version) == (second.name, second.version)
    here = room.settings.model_copy(update={"shadow_model": "", "models_dir": models})
    with pytest.raises(BundleError, match="this machine has no such bundle"):
        require_champion(room.records, here)


def write_other(folder: Path, name: str) -> Bundle:
    """Write a bundle of another network under a name."""
    import torch

    from models.importing import ImportSettings, import_checkpoint
    from models.networks.registry import build_network

    torch.save(build_network("compact_cnn", {}).state_dict(), folder / "other.pth")
    settings = ImportSettings("compact_cnn", pixels="symmetric", size=64)
    return read_bundle(import_checkpoint(settings, folder / "other.pth", folder / name, name=name))


def test_canaries_are_the_champion_s(room: Room, second: Bundle) -> None:
    room.pipeline().screen(receive(room, 1))
    appoint(room.records, second)
    with room.records.begin() as session:
        ask_for_canaries(session, now().date(), now())
    process = ScoringProcess(room.settings, threads=1)
    process.pipeline().score_canaries(1)
    process.pipeline().close()
    with room.records.read() as session:
        found = {row.model_name for row in session.query(CanaryScoreRow)}
    assert found == {second.name}


def test_settings_that_the_record_overrules_are_said(room: Room, second: Bundle) -> None:
    shadow = Shadow.load(str(second.path), longest_seconds=60)
    room.pipeline(shadow=shadow).screen(receive(room, 1))
    with capture_logs() as before:
        look_at_models(room.records, room.settings)
    appoint(room.records, second)
    with capture_logs() as after:
        look_at_models(room.records, room.settings)
    assert before == []
    assert [(each["setting"], each["appointed"]) for each in after] == [
        ("NIGHTREAD_MODEL", f"{second.name} {second.version}"),
        ("NIGHTREAD_SHADOW_MODEL", "mobilenet_v2 0.2.0"),
    ]
    doctor = check_model(room.settings, appointed_here(room.settings))
    assert doctor.level is Level.OK
    assert second.name in doctor.detail
    assert "NIGHTREAD_MODEL names another, mobilenet_v2" in doctor.detail
    (beside,) = check_shadow(room.settings, appointed_here(room.settings))
    assert "mobilenet_v2" in beside.detail


def test_the_doctor_fails_where_the_champion_is_not_here(room: Room, second: Bundle) -> None:
    room.pipeline().screen(receive(room, 1))
    appoint(room.records, second)
    here = room.settings.model_copy(update={"shadow_model": ""})
    found = check_model(here, appointed_here(here))
    assert found.level is Level.FAIL
    assert "scores nothing until then" in found.detail


def test_a_worker_at_work_follows_a_promotion_and_its_way_back(
    settings: Settings, embedded_redis: EmbeddedRedis, second: Bundle, tmp_path: Path
) -> None:
    """Each image is scored once, by the champion of its time, and the versions are kept."""
    here = settings.model_copy(update={"shadow_model": str(second.path)})
    installation = Installation(here)
    data = {"data_dir": settings.data_dir, "shadow_model": second.path}
    paths = write_load(tmp_path, 12, 5)
    try:
        installation.start("listen")
        installation.start("work")
        wait_until(installation.listens, 60, "the door answers")
        installation.send(paths[:30])
        wait_until(lambda: installation.tally().scored >= 5, 180, "it scores")
        said = nightread("model", "promote", second.name, "--why", "tried", cwd=tmp_path, **data)
        assert said.returncode == 1
        assert "--anyway" not in said.stdout
        assert "must have scored 200" in said.stderr
        promote_it = ("model", "promote", second.name, "--anyway", "--why", "tried")
        assert nightread(*promote_it, cwd=tmp_path, **data).returncode == 0
        installation.send(paths[30:50])
        installation.wait_until_screened(50, 240)
        assert nightread("model", "rollback", "--why", "no", cwd=tmp_path, **data).returncode == 0
        installation.send(paths[50:])
        installation.wait_until_screened(60, 240)
        installation.assert_scored_once(60)
        found = [image for dossier in installation.dossiers() for image in dossier.images]
        found.sort(key=lambda image: image.scores[0].scored_at)
        by = [image.scores[0].model for image in found]
        assert by.count(second.name) >= 20, "what came after the promotion"
        # In their order: one model, the other, and the first again.
        changes = [a for a, b in zip(by, [*by[1:], ""], strict=True) if a != b]
        assert changes == ["mobilenet_v2", second.name, "mobilenet_v2"]
        digests = {image.scores[0].model_digest for image in found}
        assert len(digests) == 2
        with installation.records.read() as session:
            events = [e.event for e in audit.read_audit(session) if e.event.startswith("model")]
            assert audit.verify(session).is_whole
        assert events == ["model_rolled_back", "model_promoted"]
        assert installation.log("work").count('"classifier_loaded"') == 3
    finally:
        installation.stop()
