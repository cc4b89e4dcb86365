from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparison_runs import drawn_set, write_run
from console import nightread
from typer.testing import CliRunner

from nightread.console import make_console


def test_a_comparison_from_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn_set(tmp_path / "multiregion_clean", 100)
    for number, recipe in enumerate(("resnet18", "compact_cnn")):
        write_run(tmp_path / f"{recipe}-clean", recipe, data, seed=number)
    options = ["--data", "multiregion_clean=multiregion_clean", "--ensemble", "--json"]
    runs = ["resnet18-clean", "compact_cnn-clean"]
    ran = nightread("compare", *runs, *options, "--out", "page", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert [item["label"] for item in found["classifiers"]] == [
        *runs,
        "average of 2, multiregion_clean",
        "stacked of 2, multiregion_clean",
    ]
    assert found == json.loads((tmp_path / "page/comparison.json").read_text())
    assert "resnet18-clean was measured on multiregion_clean, test: 12 images" in ran.stderr
    assert (tmp_path / "page/results").is_dir()

    monkeypatch.chdir(tmp_path)
    again = CliRunner().invoke(make_console(), ["compare", *runs, *options[:2], "--out", "page"])
    assert again.exit_code == 0, again.stderr
    assert "was measured" not in again.stderr
    assert "## What was claimed, and what is left" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["begun", "--data", "set=set"], "no bundle yet"),
        (["mobilenet_v2", "--data", "set=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    drawn_set(tmp_path / "set", 500, each=1)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/settings.json").write_text("{}")
    ran = nightread("compare", *arguments, cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert ran.stdout == ""
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize("data", ["folder", "=folder", "name="])
def test_a_set_needs_a_name_and_a_folder(tmp_path: Path, data: str) -> None:
    ran = nightread("compare", "mobilenet_v2", "--data", data, cwd=tmp_path)
    assert ran.returncode == 2
    assert "NAME=FOLDER" in ran.stderr
