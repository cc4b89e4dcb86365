from __future__ import annotations

from pathlib import Path

from console import nightread


def test_a_set_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    ran = nightread("train", "--data", "nowhere", "--run", "run", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "nowhere" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_recipe_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    options = ["--data", "nowhere", "--run", "run", "--recipe", "no-such-recipe"]
    ran = nightread("train", *options, cwd=tmp_path)
    assert ran.returncode == 1
    assert "no-such-recipe" in ran.stderr
    assert not (tmp_path / "run").exists()
