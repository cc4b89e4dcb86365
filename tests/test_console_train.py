from __future__ import annotations

from pathlib import Path

from console import nightread
from labelled_sets import class_folders


def test_a_set_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    ran = nightread("train", "--data", "nowhere", "--run", "run", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "nowhere" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_recipe_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    options = ["--data", "nowhere", "--run", "run"]
    ran = nightread("train", "no-such-recipe", *options, cwd=tmp_path)
    assert ran.returncode == 1
    assert "no-such-recipe" in ran.stderr
    assert not (tmp_path / "run").exists()


def test_the_shipped_recipes_are_named(tmp_path: Path) -> None:
    ran = nightread("train", "--list", cwd=tmp_path)
    assert ran.returncode == 0
    assert {"mobilenet_v2", "resnet18", "vgg16"} <= set(ran.stdout.split())


def test_a_training_asks_for_its_data(tmp_path: Path) -> None:
    ran = nightread("train", "resnet18", cwd=tmp_path)
    assert ran.returncode == 1
    assert "--data" in ran.stderr


def test_a_run_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "set", each=1, splits=("train", "val"))
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "recipe.toml").write_text(
        'name = "a"\nnetwork = "compact_cnn"\ninitial = "random"\n[input]\nsize = 32\n'
    )
    options = ("--data", data, "--run", "taken/run")
    ran = nightread("train", "recipe.toml", *options, cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: taken/run cannot be written")
    assert ran.stderr.count("\n") == 1
