from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from console import environment, nightread
from part10_files import part10_file
from test_console_send import picture


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder, stdout and stderr of one demonstration with phantoms."""
    folder = tmp_path_factory.mktemp("demo")
    # What a person has set must not reach it: it runs on embedded defaults.
    ran = nightread("demo", "--once", cwd=folder, redis_url="redis://nowhere:1", ae_title="OTHER")
    assert ran.returncode == 0, ran.stderr
    return folder, ran.stdout, ran.stderr


def test_every_phantom_is_scored_or_listed(shown: tuple[Path, str, str]) -> None:
    folder, out, _ = shown
    sent = len(list((folder / "nightread-demo/phantoms").rglob("*.dcm")))
    listed = cases(folder)
    assert sum(case["images_received"] for case in listed) == sent
    assert all(case["images_waiting"] == 0 for case in listed)
    assert f"{sent} images received" in out
    assert "phantoms and not patients" in out
    assert "Not for diagnosis" in out


def test_what_is_not_scored_stands_there_with_its_reason(shown: tuple[Path, str, str]) -> None:
    _, out, _ = shown
    for reason in ("body part out of scope", "not a radiograph", "no pixel data", "below"):
        assert reason in out.partition("Why")[2]


def test_the_commands_to_try_next_work(shown: tuple[Path, str, str]) -> None:
    folder, out, _ = shown
    lines = [line.strip() for line in out.partition("Try next\n")[2].splitlines()]
    assert [line.split()[-1] for line in lines][-1] == "YOUR_FILES"
    for line in lines[:-1]:
        subprocess.run(
            line, shell=True, cwd=folder, env=environment(), check=True, capture_output=True
        )


def test_nothing_is_left_running(shown: tuple[Path, str, str]) -> None:
    folder, _, said = shown
    assert said.rstrip().endswith("stopping")
    assert not (folder / "nightread-demo/redis/redis.sock").exists()


def cases(folder: Path) -> list[dict[str, Any]]:
    file = folder / "nightread-demo/nightread.env"
    ran = nightread("cases", "--all", "--json", cwd=folder, settings_file=file)
    listed: list[dict[str, Any]] = json.loads(ran.stdout)
    return listed


def test_own_images_are_wrapped_or_sent_and_each_is_listed(tmp_path: Path) -> None:
    picture(tmp_path / "mine/film.png")
    part10_file(tmp_path / "mine/report.dcm")
    (tmp_path / "mine/notes.txt").write_text("no image")
    (tmp_path / "mine/broken.png").write_text("no picture")
    ran = nightread("demo", "--once", "--images", "mine", cwd=tmp_path)
    assert ran.returncode == 1, "one could not be sent"
    assert "broken.png: " in ran.stderr
    assert "notes.txt: not a DICOM file" in ran.stderr
    assert "2 images received" in ran.stdout
    assert "film.png" in ran.stdout
    assert "report.dcm" in ran.stdout
    assert "phantom" not in ran.stdout


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = nightread("demo", "--once", "--images", "gone", cwd=tmp_path)
    assert ran.returncode == 1
    assert f"error: {tmp_path / 'gone'} does not exist" in ran.stderr


def test_a_second_time_it_changes_nothing_and_serves_until_it_is_asked_to_end(
    shown: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, _, _ = shown
    before = cases(folder)
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nightread", "demo"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    wait_until(lambda: "serving" in log.read_text(), 120, "it serves")
    assert "no terminal" in log.read_text()
    assert cases(folder) == before
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
