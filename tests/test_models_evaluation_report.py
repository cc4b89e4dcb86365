"""A bundle measured on sets as they come from elsewhere, and the report of it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import film
from PIL import Image

from models.card_figures import render_figures
from models.classifier import Classifier, load_classifier
from models.dataset import Box, LabelledRadiograph
from models.evaluation import (
    Assessment,
    Measured,
    assess,
    measure,
)
from models.evaluation.account import headlines
from models.evaluation.cost import Cost
from models.evaluation.leakage import Leakage, trained_on_a_leak
from models.evaluation.report import write_report
from models.evaluation.scoring import Refused, Scored
from models.evaluation.subgroup import subgroups
from screening.dicom.wrap import wrap_file
from screening.domain.prediction import Prediction
from screening.errors import TrainingError

BOX = Box(0.4, 0.4, 0.6, 0.6)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("mobilenet_v2")


def rows(count: int, groups: int) -> list[LabelledRadiograph]:
    return [
        LabelledRadiograph(
            Path(f"{i}.jpg"),
            i % 2,
            f"g{i // 2 % groups}-{i % 2}",
            (BOX,) if i % 2 else (),
            {"hardware": "1" if i % 10 == 1 else "0"},
        )
        for i in range(count)
    ]


def write_csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of every format, in a folder apart from their table, and the words of others."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "films").mkdir()
    film(1).save(folder / "films/a.png")
    (folder / "films/copy of a.png").write_bytes((folder / "films/a.png").read_bytes())
    film(2).convert("RGB").save(folder / "films/b.jpg", quality=90)
    deep = np.asarray(film(3)).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "films/c.png")
    wrap_file(folder / "films/b.jpg", folder / "films/d", now=dt.datetime(2025, 1, 6))
    (folder / "films/bad.jpg").write_bytes(b"no image")
    Image.new("L", (50, 50), 90).save(folder / "films/blank.png")
    return folder


def test_an_outside_set_is_measured_whatever_its_files_and_words(outside: Path) -> None:
    table = write_csv(
        outside / "set.csv",
        "path,label",
        *("a.png,1", "copy of a.png,POSITIVE", "b.jpg,Abnormal", "c.png,no", "d,False"),
        *("bad.jpg,yes", "blank.png,normal"),
    )
    told: list[tuple[int, int]] = []
    found = assess(
        "mobilenet_v2",
        Measured(table, outside / "films"),
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (7, 7)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (plain["images"], plain["fractured"], plain["groups"]) == (5, 3, 4)
    assert plain["split"] == "all"
    assert plain["bundle"]["name"] == "mobilenet_v2"
    assert [item["path"] for item in plain["not_scored"]] == ["bad.jpg", "blank.png"]
    assert "cannot be read as an image" in plain["not_scored"][0]["reason"]
    assert plain["leaking"] is False
    assert plain["leaks"]["train_images"] == 0


def test_a_set_that_leaks_is_marked(outside: Path) -> None:
    table = write_csv(
        outside / "leaking.csv",
        "path,label,split",
        *("copy of a.png,1,train", "a.png,1,test", "c.png,0,test"),
    )
    found = assess("mobilenet_v2", Measured(table, outside / "films"))
    assert found.split == "test"
    assert found.figures.leaking
    assert (found.leakage.train_images, found.leakage.exact_copies) == (1, 1)
    assert "LEAKING: 1 of 2 images" in headlines(found)[0]


def test_a_bundle_that_learnt_from_a_leak_is_known() -> None:
    assert trained_on_a_leak({"nightread": {"training": {"data": {"leaking": True}}}})
    assert not trained_on_a_leak({"nightread": {"training": {"data": {"leaking": False}}}})
    assert not trained_on_a_leak({})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label", "bad.jpg,1", "a.png,0"], "no image labelled fractured could be scored"),
        (["path,label", "a.png,1", "c.png,1"], "no image is labelled not_fractured"),
        (["path,label", "a.png,1", "nowhere.png,0"], r"1 images .* not there.*nowhere.png.*--root"),
        (["path,label", "a.png,1", "a.png,0"], r"labels a.png both"),
        (["path,truth", "a.png,1"], "lacks the columns label"),
        (["path,label,split", "a.png,1,val", "c.png,0,val"], "no split 'test', but val"),
    ],
)
def test_a_set_that_cannot_be_measured_says_why(
    outside: Path, lines: list[str], message: str
) -> None:
    table = write_csv(outside / "wrong.csv", *lines)
    split = "test" if "split" in lines[0] else None
    with pytest.raises(TrainingError, match=message):
        assess("mobilenet_v2", Measured(table, outside / "films", split=split))


def made_up(classifier: Classifier, folder: Path, count: int = 60) -> Assessment:
    """An assessment of predictions that no classifier made, of drawn films."""
    rng = np.random.default_rng(1)
    labelled = [
        replace(row, name=row.path.name, path=folder / row.path.name) for row in rows(count, count)
    ]
    for seed, row in enumerate(labelled):
        film(seed, (64, 64)).save(row.path)
    predictions = [
        Prediction(float(np.clip(rng.normal(0.3 + 0.3 * row.fractured, 0.2), 0, 1)), 0.5, 0.5)
        for row in labelled
    ]
    refused = (Refused(LabelledRadiograph(Path("x|y.png"), 1, "", name="x|y.png"), "blank"),)
    scored = Scored(tuple(labelled), tuple(predictions), refused, 1.0)
    figures = measure(classifier, labelled, predictions, 60)
    divided, small = subgroups(classifier.points, labelled, predictions)
    return Assessment(
        classifier.identity,
        classifier.points,
        Measured(Path("somewhere")),
        "test",
        replace(figures, subgroups=divided, leaking=True),
        small,
        scored,
        Leakage(10, 3, 0, True),
        Cost(1000, 2000, 3000, 60),
    )


def test_a_report_has_pages_pictures_and_every_prediction(
    classifier: Classifier, tmp_path: Path
) -> None:
    write_report(made_up(classifier, tmp_path), tmp_path / "report", classifier)
    names = {path.name for path in (tmp_path / "report").iterdir()}
    charts = {"roc", "precision_recall", "reliability", "scores"}
    assert names == {
        *(f"{chart}.{kind}" for chart in charts for kind in ("png", "svg")),
        *("report.md", "report.html", "figures.json", "predictions.csv", "mistakes.png"),
    }
    html = (tmp_path / "report/report.html").read_text()
    assert "LEAKING" in html
    assert html.count("data:image/png") == 5
    with (tmp_path / "report/predictions.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 60
    assert {line["verdict"] for line in lines} == {"clear", "doubtful", "suspected"}
    with pytest.raises(TrainingError, match="already there"):
        write_report(made_up(classifier, tmp_path), tmp_path / "report", classifier)


def test_the_same_figures_draw_the_same_report(classifier: Classifier, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(made_up(classifier, tmp_path), tmp_path / name, classifier)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_card_shows_the_rich_figures_and_marks_a_leak(
    classifier: Classifier, tmp_path: Path
) -> None:
    figures = made_up(classifier, tmp_path).figures
    text = render_figures({"a | b": figures.as_dict()})
    assert f"| a \\| b (*leaking*) | 60 (30) | {figures.auc} |" in text
    assert str(figures.average_precision) in text
    assert str(figures.half.kappa) in text
    assert "| no hardware | 54 (24) |" in text
    assert "measure memory" in text
