from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment, nightread
from labelled_sets import class_folders, film
from PIL import Image


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    root = class_folders(tmp_path / "films", each=4, splits=("train", "test"))
    Image.open(root / "train/fractured/0.png").rotate(180).save(root / "test/fractured/9.png")
    return root


def test_a_set_is_audited_and_summed_up(small_set: Path, tmp_path: Path) -> None:
    ran = nightread("dataset", "films", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    first, *_ = ran.stdout.splitlines()
    assert first == ("1 of 9 test files (11 %) have a near, turned or mirrored copy in train.")
    assert ran.stderr.startswith("dataset-report/report.html has the rest")
    assert (tmp_path / "dataset-report/report.html").is_file()


def test_json_is_the_report_s_own_and_alone_on_stdout(small_set: Path, tmp_path: Path) -> None:
    ran = nightread("dataset", small_set, "--json", "--out", "audit", "--seed", 7, cwd=tmp_path)
    found = json.loads(ran.stdout)
    assert found == json.loads((tmp_path / "audit/report.json").read_text())
    assert found["proposal"]["seed"] == 7
    (leak,) = found["leaks"]
    assert (leak["split"], leak["into"], leak["turned"]) == ("test", "train", 1)


def test_the_same_seed_gives_the_same_split(small_set: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        nightread("dataset", "films", "--out", out, cwd=tmp_path)
    one, two = (tmp_path / out / "index.csv" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_exact_copies_alone(small_set: Path, tmp_path: Path) -> None:
    ran = nightread("dataset", "films", "--exact", "--json", cwd=tmp_path)
    assert json.loads(ran.stdout)["leaks"][0]["leaking"] == 0


def test_a_table_with_paths_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "pixels").mkdir()
    for number in range(2):
        film(number).save(tmp_path / f"pixels/{number}.png")
    (tmp_path / "set.csv").write_text("path,label,part\n0.png,normal,train\n1.png,fractured,test\n")
    options = ["--root", "pixels", "--split-column", "part", "--json"]
    ran = nightread("dataset", "set.csv", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["splits"]["test"] == {"fractured": 1, "not_fractured": 0}
    assert "the test split has no image labelled not_fractured" in found["warnings"][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not there: give a folder of class folders, or a CSV"),
        (["films/train/fractured"], "no image is labelled not_fractured"),
        (["films", "--out", "films"], "films is already there"),
        (["films", "--out", "films/report"], "lies inside the set"),
    ],
)
def test_what_cannot_be_audited_is_one_line_and_leaves_nothing(
    small_set: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = nightread("dataset", *arguments, cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_it_loads_no_torch(small_set: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    variables = environment()
    variables["PYTHONPATH"] = f"{tmp_path}:{variables['PYTHONPATH']}"
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "nightread", "dataset", "films"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
