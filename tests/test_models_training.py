from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from models.augmentation import AugmentationSettings
from models.averaging import average_bundles
from models.bundle import CARD, METADATA, read_bundle
from models.classifier import load_classifier
from models.dataset import read_pixels, unit_range
from models.epoch_report import EpochReport
from models.evaluation import evaluate
from models.evaluation.leakage import trained_on_a_leak
from models.input_settings import InputSettings
from models.loss import focal_loss
from models.publishing import publish
from models.recipe import Cycle, LossSettings, OptimisationSettings, Recipe
from models.recording import record_figures
from models.run_folder import RunFolder
from models.training import train
from screening.errors import BundleError, TrainingError

RECIPE = Recipe(
    name="tiny",
    network="models.networks.mobilenet_v2.MobileNetV2",
    seed=5,
    initial="random",
    input=InputSettings(size=64),
    optimisation=OptimisationSettings(
        cycles=(Cycle(1, 4e-4), Cycle(1, 2e-4)),
        batch=4,
        normals_per_fracture=1.0,
        precision="float32",
    ),
)


@pytest.fixture(scope="module")
def bones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of drawn shafts, some broken, with the break outlined."""
    folder = tmp_path_factory.mktemp("bones")
    index, boxes = ["path,label,split,group"], ["path,x_center,y_center,width,height"]
    for split in ("train", "val", "test"):
        for number in range(8):
            name, broken = f"{split}{number}.png", number % 2 == 0
            rng = np.random.default_rng(number)
            pixels = rng.integers(0, 40, (96, 64)).astype(np.uint8)
            pixels[:, 24:40] += 180
            if broken:
                pixels[44:50, 24:40] = 20
                boxes.append(f"{name},0.5,0.49,0.25,0.06")
            Image.fromarray(pixels).save(folder / name)
            index.append(
                f"{name},{'fractured' if broken else 'not_fractured'},{split},{split}{number}"
            )
    (folder / "index.csv").write_text("\n".join(index))
    (folder / "boxes.csv").write_text("\n".join(boxes))
    return folder


@pytest.fixture(scope="module")
def whole_run(bones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that ran through."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(RECIPE, bones, run)
    return run


def test_a_training_leaves_plain_files(whole_run: Path) -> None:
    history = json.loads((whole_run / "history.json").read_text())
    settings = json.loads((whole_run / "settings.json").read_text())
    versions = json.loads((whole_run / "versions.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert settings["recipe"]["seed"] == 5
    assert len(settings["data"]["train"]["sha256"]) == 64
    assert versions["torch"] == torch.__version__


CHILD = """
import sys, pickle
from pathlib import Path
from models.training import train
recipe = pickle.load(sys.stdin.buffer)
train(recipe, Path(sys.argv[1]), Path(sys.argv[2]),
      on_epoch=lambda report: print(report.epoch, flush=True))
"""


def test_a_killed_training_goes_on_to_the_same_weights(
    bones: Path, whole_run: Path, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(bones), str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(pickle.dumps(RECIPE))
    child.stdin.close()
    assert child.stdout.readline() == b"1\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()

    reports: list[EpochReport] = []
    train(RECIPE, bones, tmp_path / "run", resume=True, on_epoch=reports.append)
    resumed = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    through = torch.load(whole_run / "checkpoint.pt", weights_only=True)
    assert [report.epoch for report in reports] == [2]
    for name, value in through["state"]["averaged"].items():
        assert torch.equal(value, resumed["state"]["averaged"][name]), name


def test_a_folder_in_use_is_not_overwritten(bones: Path, whole_run: Path) -> None:
    with pytest.raises(TrainingError, match="--resume"):
        train(RECIPE, bones, whole_run)
    with pytest.raises(TrainingError, match="another recipe"):
        train(replace(RECIPE, seed=6), bones, whole_run, resume=True)


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "settings.json").write_text('{"recipe": ')
    (tmp_path / "checkpoint.pt").write_bytes(b"PK no more")
    with pytest.raises(TrainingError, match=r"settings\.json is damaged"):
        folder.begin({}, resume=True)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged"):
        folder.checkpoint()
    with pytest.raises(TrainingError, match=r"best\.pt is damaged or gone"):
        folder.best()
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"history\.json is damaged or gone"):
        folder.summary()


def test_a_full_disk_is_told_as_the_disk_tells_it(tmp_path: Path) -> None:
    (tmp_path / ".best.pt.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        RunFolder(tmp_path).save_best({"weights": torch.zeros(100_000)})


def test_a_finished_training_resumes_to_nothing(bones: Path, whole_run: Path) -> None:
    reports: list[EpochReport] = []
    train(RECIPE, bones, whole_run, resume=True, on_epoch=reports.append)
    assert reports == []


def test_a_training_becomes_a_bundle_with_figures(
    bones: Path, whole_run: Path, tmp_path: Path
) -> None:
    assert load_classifier(whole_run / "bundle").identity.version == "0.1.0"
    bundle = publish(RECIPE, bones, RunFolder(whole_run), tmp_path / "bundle", "1.2")
    classifier = load_classifier(bundle)
    assert (classifier.identity.name, classifier.identity.version) == ("tiny", "1.2")
    assert "Measure it before" in (bundle / CARD).read_text()

    figures = evaluate(classifier, bones)
    record_figures(bundle, {"drawn bones": figures})
    card = (bundle / CARD).read_text()
    assert f"| drawn bones | 8 (4) | {figures.auc} |" in card
    assert load_classifier(bundle).identity == classifier.identity
    image = classifier.prepare(unit_range(read_pixels(bones / "test0.png")))
    assert 0 <= classifier.score([image])[0].probability <= 1


def test_a_recipe_from_the_backbone_asks_for_it(bones: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, initial="backbone")
    with pytest.raises(TrainingError, match="--start"):
        train(recipe, bones, tmp_path / "none")
    other = tmp_path / "other.pth"
    torch.save({"features.0.0.weight": torch.zeros(3)}, other)
    with pytest.raises(TrainingError, match=r"features\.\*"):
        train(recipe, bones, tmp_path / "other", start=other)
    other.write_bytes(b"not weights")
    with pytest.raises(TrainingError, match=r"features\.\*"):
        train(recipe, bones, tmp_path / "bytes", start=other)
    other.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"features\.\*"):
        train(recipe, bones, tmp_path / "empty", start=other)


def test_a_training_goes_on_from_a_bundle_of_its_network(
    bones: Path, whole_run: Path, tmp_path: Path
) -> None:
    still = replace(RECIPE.optimisation, cycles=(Cycle(1, 1e-4),), frozen_blocks=5)
    recipe = replace(RECIPE, initial="bundle", optimisation=still)
    run = train(recipe, bones, tmp_path / "on", start=whole_run / "bundle")
    before = safetensors.torch.load_file(whole_run / "bundle" / "models" / "model.safetensors")
    after = run.best()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert not {name for name in moved if name.startswith(("features.0.", "features.4."))}
    with pytest.raises(TrainingError, match="--start"):
        train(recipe, bones, tmp_path / "none")
    other = replace(recipe, network="compact_cnn")
    with pytest.raises(TrainingError, match="compact_cnn"):
        train(other, bones, tmp_path / "other", start=whole_run / "bundle")
    assert not (tmp_path / "none").exists()


def test_a_training_stops_after_some_epochs_and_goes_on_later(bones: Path, tmp_path: Path) -> None:
    run = train(RECIPE, bones, tmp_path / "run", stop_after=1)
    metadata = json.loads((run.bundle / "configs" / "metadata.json").read_text())
    told = metadata["nightread"]["training"]
    assert (told["epochs"], told["planned_epochs"]) == (1, 2)
    reports: list[EpochReport] = []
    train(RECIPE, bones, tmp_path / "run", resume=True, on_epoch=reports.append)
    assert [report.epoch for report in reports] == [2]


def test_the_last_epoch_is_kept_where_the_recipe_says_so(bones: Path, tmp_path: Path) -> None:
    last = replace(RECIPE, optimisation=replace(RECIPE.optimisation, keep="last"))
    run = train(last, bones, tmp_path / "run")
    state = torch.load(run.path / "checkpoint.pt", weights_only=True)["state"]["averaged"]
    assert all(torch.equal(value, state[f"module.{name}"]) for name, value in run.best().items())
    assert run.summary()["selected_epoch"] == 2


def test_an_average_is_the_mean_of_its_members(
    bones: Path, whole_run: Path, tmp_path: Path
) -> None:
    further = replace(RECIPE, seed=6, initial="bundle")
    other = train(further, bones, tmp_path / "other", start=whole_run / "bundle").bundle
    members = [whole_run / "bundle", other]
    out = average_bundles(members, RECIPE, bones, tmp_path / "mean", "2.0")
    weights = [
        safetensors.torch.load_file(path / "models" / "model.safetensors")["image_head.1.weight"]
        for path in (*members, out)
    ]
    assert torch.allclose((weights[0] + weights[1]) / 2, weights[2])
    assert load_classifier(out).identity.version == "2.0"
    assert "mean of those" in (out / CARD).read_text()
    # The drawn bones leak, and what is made of them says so.
    assert "rest on memory" in (out / CARD).read_text()
    assert trained_on_a_leak(read_bundle(out).metadata)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with pytest.raises(BundleError, match="already there"):
        average_bundles(members, RECIPE, bones, out, "2.0")
    with pytest.raises(BundleError, match="two bundles"):
        average_bundles(members[:1], RECIPE, bones, tmp_path / "one", "2.0")
    compact = replace(RECIPE, network="compact_cnn")
    with pytest.raises(BundleError, match="CompactCNN"):
        average_bundles(members, compact, bones, tmp_path / "compact", "2.0")
    bundle = read_bundle(other)
    bundle.metadata["nightread"]["training"] = {"imported": "from elsewhere"}
    (other / METADATA).write_text(json.dumps(bundle.metadata))
    with pytest.raises(BundleError, match="was not trained by `nightread train`"):
        average_bundles(members, RECIPE, bones, tmp_path / "imported", "2.0")
    assert not (tmp_path / "imported").exists()


def test_a_split_that_leaks_is_told_and_marked(bones: Path, tmp_path: Path) -> None:
    folder = tmp_path / "leaking"
    shutil.copytree(bones, folder)
    shutil.copy(folder / "train0.png", folder / "val0.png")
    told: list[tuple[int, int]] = []
    run = train(
        RECIPE, folder, tmp_path / "run", stop_after=1, on_leak=lambda *copies: told.append(copies)
    )
    metadata = json.loads((run.bundle / "configs" / "metadata.json").read_text())
    # The drawn bones differ by a seed that their number in the split gives: all are copies.
    assert told == [(8, 8)]
    assert metadata["nightread"]["training"]["data"]["leaking"] is True


@pytest.mark.parametrize(
    ("network", "optimisation"),
    [
        ("compact_cnn", {"optimiser": "sgd", "schedule": "plateau", "sampling": "all"}),
        ("sequential_cnn", {"optimiser": "adam", "schedule": "constant", "average_decay": 0.0}),
        ("models.networks.resnet18.ResNet18", {"precision": "bfloat16"}),
    ],
)
def test_published_networks_train_without_a_map(
    bones: Path, tmp_path: Path, network: str, optimisation: dict[str, object]
) -> None:
    recipe = replace(
        RECIPE,
        network=network,
        network_arguments={"size": 64} if network == "sequential_cnn" else {},
        input=InputSettings(size=64, equalise=True, blur=0.7),
        optimisation=replace(RECIPE.optimisation, **optimisation),  # type: ignore[arg-type]
        loss=LossSettings(fracture_weight=1.5, label_smoothing=0.1),
        augmentation=AugmentationSettings(brightness=0.2, contrast=0.3),
    )
    run = train(recipe, bones, tmp_path / "run")
    classifier = load_classifier(run.bundle)
    image = classifier.prepare(unit_range(read_pixels(bones / "test0.png")))
    prediction = classifier.score([image])[0]
    assert 0 <= prediction.probability <= 1
    assert prediction.hottest_x is None


def test_an_early_stop_waits_for_its_patience() -> None:
    patient = OptimisationSettings(patience=2)
    assert not patient.exhausted([1.0, 0.9])
    assert not patient.exhausted([1.0, 0.9, 0.95])
    assert patient.exhausted([1.0, 0.9, 0.95, 0.91])
    assert not patient.exhausted([1.0, 0.9, 0.95, 0.89])
    assert not OptimisationSettings().exhausted([1.0] * 50)


def test_an_unreadable_image_ends_the_training_before_a_file_is_made(
    bones: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(bones, folder)
    (folder / "train3.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"train3\.png"):
        train(RECIPE, folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_learning_curves_are_a_table_and_a_picture(whole_run: Path) -> None:
    rows = list(csv.DictReader((whole_run / "curves.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row["validation_loss"]) > 0 for row in rows)
    assert float(rows[0]["learning_rate"]) < 4e-4
    with Image.open(whole_run / "curves.png") as picture:
        assert picture.size[0] > picture.size[1]


def test_a_network_that_is_not_listed_is_refused(bones: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="correct the recipe"):
        train(replace(RECIPE, network="os.system"), bones, tmp_path / "run")


def test_the_map_is_pulled_towards_the_outline() -> None:
    target = torch.zeros(1, 4, 4)
    target[0, 1, 2] = 1
    logits = torch.full((1, 4, 4), -4.0, requires_grad=True)
    focal_loss(logits, target).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1, 2] < 0
    assert (logits.grad[target == 0] > 0).all()
    assert torch.isfinite(focal_loss(torch.full((1, 4, 4), 100.0), torch.zeros(1, 4, 4)))
