"""The benchmarks as one calls them: what they print, and that asking for help starts nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[1]
PROGRAMS = sorted(path.stem for path in (CHECKOUT / "benchmarks").glob("[!_]*.py"))


def run(name: str, *options: str, temporary: Path) -> str:
    """Return what ``python -m benchmarks.NAME`` prints, its temporary files in a folder of ours."""
    finished = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options],
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_there_is_one_program_for_each_question() -> None:
    assert {"read", "receive", "screen"} <= set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_printed_and_nothing_is_started(name: str, tmp_path: Path) -> None:
    printed = run(name, "--help", temporary=tmp_path)
    assert f"python -m benchmarks.{name}" in printed
    assert {"--quick", "--json"} <= set(printed.replace(",", " ").replace("]", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of `benchmarks.read` over a small image."""
    temporary = tmp_path_factory.mktemp("benchmark")
    size = ["--rows", "300", "--columns", "240", "--repeats", "3"]
    report: dict[str, Any] = json.loads(
        run("read", "--quick", "--json", *size, temporary=temporary)
    )
    assert not list(temporary.glob("nightread-*")), "it leaves nothing behind"
    return report


def test_ratios_are_flat_and_positive(reading: dict[str, Any]) -> None:
    ratios = reading["ratios"]
    assert {"read_uncompressed_vs_naive", "read_jpeg2000_vs_naive"} <= set(ratios)
    assert all(isinstance(ratio, float) and ratio > 0 for ratio in ratios.values())
    assert set(reading["ratio_spread"]) == set(ratios)
    for name, spread in reading["ratio_spread"].items():
        assert spread["min"] <= spread["median"] <= spread["max"]
        assert spread["median"] == ratios[name]


def test_rows_stand_beside_the_ratios(reading: dict[str, Any]) -> None:
    measured = [row for row in reading["rows"] if row["status"] == "measured"]
    for row in measured:
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["repeats"] == 3
        assert row["unit"] == "ms"
    both = {(row["transfer syntax"], row["way"]) for row in measured}
    assert {("uncompressed", "ours"), ("uncompressed", "naive")} <= both


def test_what_is_not_installed_has_a_row_and_no_ratio(reading: dict[str, Any]) -> None:
    rows = {row["transfer syntax"]: row for row in reading["rows"]}
    for syntax, row in rows.items():
        assert row["status"] in {"measured", "not installed"}
        has_ratio = f"read_{syntax}_vs_naive" in reading["ratios"]
        assert has_ratio == (row["status"] == "measured") == ("median" in row)


def test_the_report_says_where_it_was_measured_and_names_nobody(reading: dict[str, Any]) -> None:
    assert set(reading["machine"]) == {"cores", "cpu", "system"}
    assert reading["machine"]["cores"] >= 1
    assert {"Python", "pydicom", "torch", "DCMTK", "Orthanc"} <= set(reading["versions"])
    printed = json.dumps(reading)
    for private in (str(CHECKOUT), str(Path.home()), sys.prefix):
        assert private not in printed
