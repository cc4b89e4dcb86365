from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from console import environment, nightread

from models.bundle import SHIPPED as SHIPPED_FOLDERS
from models.networks.registry import build_network

SHIPPED = "mobilenet_v2"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("elsewhere") / "compact.pth"
    torch.save(build_network("compact_cnn", {}).state_dict(), path)
    return path


def test_the_shipped_bundles_are_listed(tmp_path: Path) -> None:
    ran = nightread("bundle", "list", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"\n{SHIPPED} " in f"\n{ran.stdout}"
    listed = json.loads(nightread("bundle", "list", "--json", cwd=tmp_path).stdout)
    assert {"name", "version", "description", "path", "weights_sha256"} == set(listed[0])
    assert SHIPPED in {item["name"] for item in listed}


def test_a_bundle_is_shown_as_its_card_and_as_its_metadata(tmp_path: Path) -> None:
    card = nightread("bundle", "show", SHIPPED, cwd=tmp_path)
    assert card.returncode == 0, card.stderr
    assert card.stdout.startswith(f"# {SHIPPED} ")
    metadata = json.loads(nightread("bundle", "show", SHIPPED, "--json", cwd=tmp_path).stdout)
    assert metadata["name"] == SHIPPED
    assert len(metadata["nightread"]["weights_sha256"]) == 64


def test_a_bundle_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    ran = nightread("bundle", "show", "no-such-bundle", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: no model bundle no-such-bundle")
    assert ran.stderr.count("\n") == 1


def altered(folder: Path, change: dict[str, str]) -> Path:
    shutil.copytree(SHIPPED_FOLDERS / SHIPPED / "configs", folder / "configs")
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in metadata.items() if value}))
    return folder


def test_what_a_card_says_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    folder = altered(tmp_path / "b", {"description": "good\x1b[2J\x9b31m", "name": "a\rb"})
    ran = nightread("bundle", "show", folder, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("# a b ")
    assert ran.stdout.replace("\n", "").isprintable()


def test_a_bundle_whose_card_cannot_be_drawn_is_an_error_of_one_line(tmp_path: Path) -> None:
    folder = altered(tmp_path / "b\x1b[2J", {"description": ""})
    ran = nightread("bundle", "show", folder, cwd=tmp_path)
    assert ran.returncode == 1
    assert "KeyError: 'description'" in ran.stderr
    assert ran.stderr.removesuffix("\n").isprintable()


def test_listing_and_showing_load_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from nightread.console import make_console
for arguments in (["bundle", "list"], ["bundle", "show", "mobilenet_v2"]):
    make_console()(arguments, standalone_mode=False)
print("torch" in sys.modules, file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == "False\n"


def test_a_checkpoint_is_imported_and_shown(checkpoint: Path, tmp_path: Path) -> None:
    options = ["--out", "mine", "--name", "theirs", "--size", 96, "--pixels", "unit"]
    ran = nightread("bundle", "import", "compact_cnn", checkpoint, *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        "not calibrated: its number is no probability; give --data to choose thresholds",
        "imported; to score with it: NIGHTREAD_MODEL=mine nightread up",
    ]
    shown = nightread("bundle", "show", "mine", cwd=tmp_path).stdout
    assert shown.startswith("# theirs 0.1.0")
    assert "**Not calibrated.**" in shown
    found = json.loads(nightread("bundle", "show", "mine", "--json", cwd=tmp_path).stdout)
    assert found["nightread"]["input"]["size"] == 96


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("resnet5000", "is not one of mobilenet_v2, mobilenet_v2_published, densenet121, "),
        ("resnet18", "is no checkpoint of resnet18: "),
    ],
)
def test_what_cannot_be_imported_is_one_line_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path, network: str, message: str
) -> None:
    ran = nightread("bundle", "import", network, checkpoint, "--out", "mine", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
