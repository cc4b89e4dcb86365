from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from console import nightread
from labelled_sets import film
from typer.testing import CliRunner

from models.bundle import CARD, find_bundle
from nightread.console import make_console
from screening.errors import NightreadError


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "pixels").mkdir()
    lines = ["file,truth,site"]
    for number in range(6):
        film(number).save(folder / f"pixels/{number}.png")
        lines.append(f"{number}.png,{'yes' if number % 2 else 'no'},{'AB'[number // 3]}")
    lines.append("gone.png,yes,C")
    (folder / "pixels/gone.png").write_bytes(b"no image")
    (folder / "set.csv").write_text("\n".join(lines) + "\n")
    return folder


def columns() -> list[str]:
    return ["--root", "pixels", "--path-column", "file", "--label-column", "truth"]


def test_json_is_alone_on_stdout_and_the_bundle_keeps_what_is_recorded(
    films: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(find_bundle("mobilenet_v2"), tmp_path / "bundle")
    options = ["--bundle", bundle, "--data", "set.csv", *columns(), "--json"]
    ran = nightread("evaluate", *options, "--record", "drawn", cwd=films)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["images"], found["fractured"]) == (6, 3)
    assert set(found["auc"]) == {"value", "low", "high"}
    assert [item["path"] for item in found["not_scored"]] == ["gone.png"]
    assert found["leaking"] is False
    assert "measured every row; --split chooses another" in ran.stderr
    assert "1 image could not be scored" in ran.stderr
    card = (bundle / CARD).read_text()
    assert "| drawn | 6 (3) |" in card
    assert "| FracAtlas test | 600 (109) |" in card


def test_a_table_and_a_report(films: Path, tmp_path: Path) -> None:
    options = ["--data", "set.csv", *columns(), "--out", tmp_path / "report", "--where", "site=A"]
    ran = nightread("evaluate", *options, cwd=films)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("mobilenet_v2 ")
    assert "3 images, 1 fractured, 3 sources" in ran.stdout
    assert "high specificity" in ran.stdout
    assert (tmp_path / "report/report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere.csv"], "nowhere.csv is not there"),
        (["--data", "set.csv"], "lacks the columns label, path"),
        (["--data", "set.csv", *columns(), "--by", "view"], "no column view to divide by"),
        (["--data", "set.csv", *columns(), "--where", "site=D"], "leaves no image of one class"),
        (["--data", "set.csv", *columns(), "--out", "pixels"], "pixels is already there"),
        (["--data", "set.csv", *columns(), "--bundle", "none"], "no model bundle none"),
    ],
)
def test_what_cannot_be_measured_leaves_nothing(
    films: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    before = sorted(films.rglob("*"))
    monkeypatch.chdir(films)
    ran = CliRunner().invoke(make_console(), ["evaluate", *arguments])
    assert isinstance(ran.exception, NightreadError)
    assert message in str(ran.exception)
    assert ran.stdout == ""
    assert sorted(films.rglob("*")) == before


def test_a_condition_that_is_none_is_refused() -> None:
    ran = CliRunner().invoke(make_console(), ["evaluate", "--data", "x", "--where", "site"])
    assert ran.exit_code == 2
    assert "'site' is not COLUMN=VALUE" in ran.stderr
