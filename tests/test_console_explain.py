from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import nightread
from labelled_sets import film
from PIL import Image
from typer.testing import CliRunner

from nightread.console import make_console
from screening.dicom.wrap import wrap_file
from screening.errors import NightreadError


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """Four films, two of them fractured in one split, with boxes."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows, boxes = [], []
    for number, label in enumerate(["fractured", "not_fractured", "fractured", "not_fractured"]):
        film(number, (180, 240)).save(folder / f"{number}.png")
        rows.append((f"{number}.png", label, "test", f"g{number}"))
        if label == "fractured":
            boxes.append((f"{number}.png", 0.5, 0.5, 0.4, 0.2))
    for name, header, lines in (
        ("index.csv", ("path", "label", "split", "group"), rows),
        ("boxes.csv", ("path", "x_center", "y_center", "width", "height"), boxes),
    ):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *lines])
    return folder


def lines_of(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "explanations.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_a_set_is_explained_measured_and_drawn(small_set: Path, tmp_path: Path) -> None:
    ran = nightread(
        *("explain", "--data", "set", "--method", "cells", "--steps", 2, "--mistakes", 2),
        *("--json", "--out", "why"),
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found == json.loads((tmp_path / "why/figures.json").read_text())
    assert (found["images"], found["groups"], found["pointing"]["images"]) == (2, 2, 2)
    assert found["pointing"]["boxes_area"] == pytest.approx(0.08, abs=0.005)
    for name in ("deletion", "insertion", "blurred"):
        assert set(found[name]) == {"heatmap", "chance", "gain"}
    lines = lines_of(tmp_path / "why")
    assert [line["image"] for line in lines] == ["0.png", "2.png"]
    assert [line["hit"] in (True, False) for line in lines] == [True, True]
    assert opened(tmp_path / "why" / lines[0]["picture"]).size == (180, 240)
    assert opened(tmp_path / "why/misclassified.png").mode == "RGB"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".why")]


def test_files_of_every_kind_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(1, (200, 100)).save(tmp_path / "one.jpg")
    (tmp_path / "below").mkdir()
    film(2).save(tmp_path / "below/one.png")
    now = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    wrap_file(tmp_path / "one.jpg", tmp_path / "two.dcm", now=now)
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(make_console(), ["explain", "one.jpg", "below/one.png", "two.dcm"])
    assert ran.exit_code == 0, ran.stderr
    assert [line.split(":")[0] for line in ran.stdout.splitlines()] == [
        "one.jpg",
        "below/one.png",
        "two.dcm",
    ]
    lines = lines_of(tmp_path / "explanations")
    assert [line["picture"] for line in lines] == ["one.png", "one-2.png", "two.png"]
    assert lines[0]["probability"] == pytest.approx(lines[2]["probability"], abs=0.02)
    picture = opened(tmp_path / "explanations/one.png")
    assert picture.size == (200, 100)
    assert np.ptp(np.asarray(picture).astype(int), axis=2).max() > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give image files, or a labelled set"),
        (["a.png", "--data", "set"], "give image files, or a labelled set"),
        (["a.png", "--method", "shap"], "'shap' is not one of"),
        (["set/0.png", "broken.png"], "broken.png cannot be read as an image (Unidentified"),
        (
            ["set/0.png", "nowhere.png"],
            "nowhere.png cannot be read as an image (FileNotFoundError)",
        ),
        (["set/0.png", "--bundle", "none"], "no model bundle none"),
        (["set/0.png", "--out", "set"], "set is already there"),
        (["set/0.png", "--out", "broken.png/why"], "nothing can be written to broken.png/why"),
        (["set/0.png", "--method", "lime", "--passes", "3"], "at least 8 passes"),
        (["--data", "set", "--split", "val"], "no split 'val'"),
        (["--data", "damaged"], "2.png cannot be read as an image"),
    ],
)
def test_what_cannot_be_explained_is_one_line_and_leaves_nothing(
    small_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    shutil.copytree(small_set, tmp_path / "damaged")
    (tmp_path / "damaged/2.png").write_bytes(b"no picture")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    # In this process: a new one spends its seconds on loading torch.
    ran = CliRunner().invoke(make_console(), ["explain", *arguments])
    refused = isinstance(ran.exception, NightreadError)
    assert refused or ran.exit_code == 2
    told = str(ran.exception) if refused else ran.stderr
    assert message in " ".join(told.split())
    assert ran.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before
