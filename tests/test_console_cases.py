from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import json
from pathlib import Path

import pytest
import typer
from console import leave_early, nightread
from filed_cases import NOW, file_study
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import migrations
from nightread.console import make_console
from nightread.since import parse_since
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.records.engine import Records
from screening.records.results import Result
from screening.settings import Settings


@pytest.fixture
def filed(settings: Settings, tmp_path: Path) -> Settings:
    """Four studies: suspected, doubtful, clear, and one that was not scored."""
    records = Records(settings.records_url)
    migrations.upgrade(records)
    results: list[Result] = [Prediction(0.9), Prediction(0.3), Prediction(0.1)]
    results.append(Exclusion(Reason.MULTI_FRAME, "2"))
    for number, result in enumerate(results):
        file_study(
            records,
            f"1.2.{number}",
            result,
            now=NOW + dt.timedelta(days=number),
            patient_name="DOE^JANE",
            patient_id=f"P{number}",
        )
    records.close()
    return settings


def listed(settings: Settings, *options: str) -> list[str]:
    """Return the study UIDs that ``nightread cases --json`` lists."""
    ran = CliRunner().invoke(
        make_console(),
        ["cases", "--json", *options],
        env={"NIGHTREAD_DATA_DIR": str(settings.data_dir)},
    )
    assert ran.exit_code == 0, ran.stderr
    assert ran.stderr == ""
    return [case["study_instance_uid"] for case in json.loads(ran.stdout)]


def test_the_flagged_cases_come_first_and_alone(filed: Settings) -> None:
    assert listed(filed) == ["1.2.0", "1.2.1"]


@pytest.mark.parametrize(
    ("options", "uids"),
    [
        (["--all"], ["1.2.0", "1.2.1", "1.2.3", "1.2.2"]),
        (["--all", "--limit", "2"], ["1.2.0", "1.2.1"]),
        (["--all", "--limit", "0"], ["1.2.0", "1.2.1", "1.2.3", "1.2.2"]),
        (["--all", "--since", "2026-03-03T00:00:00Z"], ["1.2.3", "1.2.2"]),
        (["--verdict", "clear"], ["1.2.2"]),
        (["--verdict", "clear", "--verdict", "not_scored"], ["1.2.3", "1.2.2"]),
        (["--since", "2026-03-02T12:00:00+00:00"], ["1.2.1"]),
        (["--since", "30m"], []),
    ],
)
def test_options_choose_the_cases(filed: Settings, options: list[str], uids: list[str]) -> None:
    assert listed(filed, *options) == uids


def test_csv_is_complete(filed: Settings, tmp_path: Path) -> None:
    ran = nightread("cases", "--all", "--csv", cwd=tmp_path, data_dir=filed.data_dir)
    rows = list(csv.DictReader(io.StringIO(ran.stdout, newline="")))
    assert [row["verdict"] for row in rows] == ["suspected", "doubtful", "not_scored", "clear"]


def test_the_table_counts_every_image(filed: Settings, tmp_path: Path) -> None:
    ran = nightread("cases", cwd=tmp_path, data_dir=filed.data_dir)
    assert ran.stdout.startswith("4 images received, 3 scored, 1 not scored, 0 waiting.\n")
    assert "DOE, JANE" in ran.stdout
    assert "Not for diagnosis" in ran.stdout
    assert "\x1b" not in ran.stdout


@pytest.fixture(scope="module")
def long_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose list is longer than what a pipe holds, 64 KB on Linux."""
    folder = tmp_path_factory.mktemp("long")
    records = Records(f"sqlite:///{folder / 'nightread.sqlite'}")
    migrations.upgrade(records)
    for number in range(450):
        file_study(records, f"1.3.{number}", None, study_description="X" * 200)
    records.close()
    return folder


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_reader_that_goes_early_ends_it_quietly(
    long_list: Path, tmp_path: Path, form: list[str]
) -> None:
    command = ("cases", "--all", "--limit", "0", *form)
    assert leave_early(*command, cwd=tmp_path, data_dir=long_list) == (0, b"")


def test_a_study_is_shown_whole(filed: Settings, tmp_path: Path) -> None:
    ran = nightread("study", "1.2.3", cwd=tmp_path, data_dir=filed.data_dir)
    assert "multi-frame: 2" in ran.stdout
    ran = nightread("study", "1.2.3", "--json", cwd=tmp_path, data_dir=filed.data_dir)
    assert json.loads(ran.stdout)["images"][0]["exclusion"]["reason"] == "multi_frame"


def test_an_unknown_study_says_where_to_find_the_known(filed: Settings, tmp_path: Path) -> None:
    ran = nightread("study", "9.9", cwd=tmp_path, data_dir=filed.data_dir)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: no image of the study 9.9 was received")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["cases"], ["study", "1.2"]])
def test_where_there_are_no_records_nothing_is_made(tmp_path: Path, command: list[str]) -> None:
    ran = nightread(*command, cwd=tmp_path)
    assert ran.returncode == 1
    assert "nightread up" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_schema_is_refused(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "nightread.sqlite").touch()
    ran = nightread("cases", cwd=tmp_path, data_dir=settings.data_dir)
    assert ran.returncode == 1
    assert "nightread migrate" in ran.stderr
    ran = nightread("migrate", cwd=tmp_path, data_dir=settings.data_dir)
    assert ran.stdout.startswith("the database went from schema none to ")
    ran = nightread("migrate", cwd=tmp_path, data_dir=settings.data_dir)
    assert ran.stdout.endswith("nothing to do\n")
    assert nightread("cases", cwd=tmp_path, data_dir=settings.data_dir).returncode == 0


@pytest.mark.parametrize(
    "options",
    [["--json", "--csv"], ["--all", "--verdict", "clear"], ["--since", "soon"], ["--limit", "-1"]],
)
def test_options_that_make_no_sense_are_refused(filed: Settings, options: list[str]) -> None:
    settings = {"NIGHTREAD_DATA_DIR": str(filed.data_dir)}
    ran = CliRunner().invoke(make_console(), ["cases", *options], env=settings)
    assert ran.exit_code == 2
    assert ran.stdout == ""


def test_a_moment_may_be_a_span_back_from_now() -> None:
    for text, span in (("30m", {"minutes": 30}), ("24h", {"hours": 24}), ("2w", {"weeks": 2})):
        away = dt.datetime.now(dt.UTC) - parse_since(text) - dt.timedelta(**span)
        assert abs(away) < dt.timedelta(seconds=5)


def test_a_date_begins_at_midnight_here() -> None:
    assert parse_since("2026-11-20") == dt.datetime(2026, 11, 20).astimezone()
    assert parse_since("2026-11-20T18:00+02:00") == dt.datetime(2026, 11, 20, 16, tzinfo=dt.UTC)


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with contextlib.suppress(typer.BadParameter):
        assert parse_since(text).tzinfo is not None
