from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from console import nightread
from labelled_sets import film
from numpy.typing import NDArray
from PIL import Image

from models.dataset import LabelledRadiograph, read_split
from models.group_bootstrap import GroupBootstrap
from models.shortcuts.change import CHANGES
from models.shortcuts.cue import CUES, read_cues
from models.shortcuts.findings import Findings, examine
from models.shortcuts.jpeg_quality import jpeg_quality
from models.shortcuts.movement import choose_films, measure_movements
from screening.errors import TrainingError

EACH = 40


@pytest.fixture(scope="module")
def telling_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films whose label is their shape, and of which nothing else tells."""
    folder = tmp_path_factory.mktemp("telling")
    rows = []
    rng = np.random.default_rng(7)
    for split in ("train", "val"):
        for number in range(EACH):
            fractured = number % 2
            size = (80, 120) if fractured else (120, 90)
            name = f"{split}{number}.jpg"
            film(len(rows), size).save(folder / name, quality=int(rng.integers(40, 96)))
            label = "fractured" if fractured else "not_fractured"
            rows.append((name, label, split, f"g{len(rows)}", number // 2 % 2, "left"))
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "group", "hardware", "side"))
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def findings(telling_set: Path) -> Findings:
    return examine(telling_set)


def test_a_label_that_is_the_shape_is_found_out(findings: Findings) -> None:
    cues = {item.cue: item for item in findings.cues}
    assert cues["aspect ratio"].auc.value == 1
    assert cues["aspect ratio"].fractured_range == pytest.approx((2 / 3, 2 / 3))
    assert cues["all together, boosted"].auc.value > 0.95
    assert cues["all together, linear"].auc.value > 0.95


@pytest.mark.parametrize("cue", ["image size", "JPEG quality", "spread of intensity", "hardware"])
def test_a_cue_that_says_nothing_is_near_one_half(findings: Findings, cue: str) -> None:
    (found,) = (item.auc for item in findings.cues if item.cue == cue)
    assert found.low <= 0.5 <= found.high


def test_hardware_is_a_cue_where_the_table_has_it(findings: Findings, telling_set: Path) -> None:
    assert [item.cue for item in findings.cues[: len(CUES) + 1]] == [*CUES, "hardware"]
    assert len(examine(telling_set, columns=()).cues) == len(CUES) + 2


def test_a_cue_between_two_bounds_counts_too(tmp_path: Path) -> None:
    rows = ["path,label,split,group"]
    for split in ("train", "val"):
        for number in range(EACH):
            # The fractured lie in the middle of the range: no threshold tells them apart.
            fractured = number % 2
            level = 128 if fractured else (60, 190)[number // 2 % 2]
            noise = np.random.default_rng(len(rows)).integers(-20, 20, (32, 32))
            name = f"{split}{number}.png"
            Image.fromarray((noise + level).astype(np.uint8)).save(tmp_path / name)
            label = "fractured" if fractured else "not_fractured"
            rows.append(f"{name},{label},{split},g{len(rows)}")
    (tmp_path / "index.csv").write_text("\n".join(rows))
    cues = {item.cue: item for item in examine(tmp_path).cues}
    assert cues["mean intensity"].auc.value > 0.95
    assert cues["JPEG quality"].auc.value == 0.5
    assert cues["JPEG quality"].fractured_range is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [(["nonsense"], "no column nonsense"), (["side"], "column side holds 'left'")],
)
def test_a_column_that_is_no_cue_is_refused(
    telling_set: Path, columns: list[str], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        examine(telling_set, columns=columns)


@pytest.mark.parametrize("quality", [5, 30, 49, 50, 60, 75, 90, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(quality: int) -> None:
    buffer = io.BytesIO()
    film(1).save(buffer, "JPEG", quality=quality)
    assert jpeg_quality(Image.open(buffer)) == quality


def test_a_png_has_no_jpeg_quality(tmp_path: Path) -> None:
    film(1).save(tmp_path / "film.png")
    (cues,) = read_cues([LabelledRadiograph(tmp_path / "film.png", 1, "g")])
    assert np.isnan(cues[CUES.index("JPEG quality")])
    assert cues[CUES.index("aspect ratio")] == 1
    assert cues[CUES.index("image size")] == 240


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (64, 64), (1, 1)])
def test_a_change_gives_a_film_of_grey_levels(change: object, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = change.apply(pixels)  # type: ignore[attr-defined]
    assert found.dtype == np.uint8
    assert found.ndim == 2
    assert (found.shape != shape) == (change.cue == "aspect ratio" and shape != (1, 1))  # type: ignore[attr-defined]


class Brightness:
    """A classifier that has learnt the mean of the film, and nothing else."""

    def __init__(self) -> None:
        from screening.domain.prediction import ModelIdentity
        from screening.domain.verdict import OperatingPoints

        self.identity = ModelIdentity("brightness", "0", "0" * 64)
        self.points = OperatingPoints(0.4, 0.6)

    def prepare(self, pixels: NDArray[np.float32]) -> float:
        return float(pixels.mean())

    def score(self, images: list[float]) -> list[object]:
        from screening.domain.prediction import Prediction

        return [Prediction(min(max(2 * mean, 0.0), 1.0)) for mean in images]


def test_a_classifier_that_leans_on_brightness_moves_with_it(telling_set: Path) -> None:
    told: list[tuple[int, int]] = []
    auc, movements = measure_movements(
        Brightness(),  # type: ignore[arg-type]
        read_split(telling_set, "val"),
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (EACH * (len(CHANGES) + 1),) * 2
    found = {item.change: item for item in movements}
    assert [item.change for item in movements] == [change.name for change in CHANGES]
    assert found["25 levels brighter"].drift > 0.2
    assert found["25 levels brighter"].drift == pytest.approx(found["25 levels brighter"].logit)
    assert found["25 levels darker"].drift < -0.2
    assert found["compressed at quality 90"].logit < 0.05
    assert found["25 levels brighter"].suspected_flips > 0
    assert abs(found["compressed at quality 90"].auc_change.value) < 0.05
    assert auc.value == pytest.approx(0.5, abs=0.2)


def test_films_are_drawn_from_both_classes_alike(telling_set: Path) -> None:
    rows = read_split(telling_set, "val")
    drawn = choose_films(rows, 10)
    assert sum(row.fractured for row in drawn) == 5
    assert drawn == choose_films(rows, 10)
    assert choose_films(rows, 10, seed=1) != drawn
    assert choose_films(rows, 1000) == rows
    few = [row for row in rows if not row.fractured] + [row for row in rows if row.fractured][:2]
    assert sum(row.fractured for row in choose_films(few, 10)) == 2


def test_copies_of_a_source_widen_an_interval() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(200) % 2
    scores = labels + rng.normal(0, 1, 200)
    free = GroupBootstrap(labels, [str(i) for i in range(200)]).area(scores)
    held = GroupBootstrap(labels, [f"{i // 2 % 5}-{i % 2}" for i in range(200)]).area(scores)
    assert free.value == held.value
    assert (free.low, free.high) != (held.low, held.high)


def test_the_area_is_that_of_scikit_learn_with_ties() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 60)
    scores = rng.integers(0, 6, 60).astype(float)
    bootstrap = GroupBootstrap(labels, [str(i) for i in range(60)])
    assert bootstrap.area(scores).value == pytest.approx(roc_auc_score(labels, scores))
    assert bootstrap.area_gain(scores, scores).high == 0


def test_the_command_reports_the_set_alone(telling_set: Path, tmp_path: Path) -> None:
    options = ["--data", telling_set, "--out", "report", "--json"]
    ran = nightread("shortcuts", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["cues"][0] == {
        "cue": "aspect ratio",
        "auc": {"value": 1.0, "low": 1.0, "high": 1.0},
        "fractured_range": [0.6667, 0.6667],
        "other_range": [1.3333, 1.3333],
    }
    assert found["model"] is None
    assert found == json.loads((tmp_path / "report/shortcuts.json").read_text())
    page = (tmp_path / "report/shortcuts.html").read_text()
    assert "data:image/png" in page
    assert "| aspect ratio | 1.000" in (tmp_path / "report/shortcuts.md").read_text()


def test_the_command_watches_a_classifier(telling_set: Path, tmp_path: Path) -> None:
    options = ["--data", telling_set, "--bundle", "mobilenet_v2", "--images", 2]
    ran = nightread("shortcuts", *options, "--out", "report", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "## How far the scores move" in ran.stdout
    assert "gamma 1.4" in ran.stdout
    assert (tmp_path / "report/changes.png").is_file()


def test_what_cannot_be_tested_is_one_line(tmp_path: Path) -> None:
    ran = nightread("shortcuts", "--data", ".", "--bundle", "no-such-bundle", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "no-such-bundle" in ran.stderr
    assert ran.stdout == ""


def test_a_set_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere"):
        examine(tmp_path / "nowhere")
