"""The watch over the suite's logs (`patient_watch.py`) sees a patient wherever one is logged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from console import environment
from patient_watch import PatientWatch

CONFTEST = """
from patient_watch import (  # noqa: F401
    pytest_configure, pytest_runtest_makereport, pytest_runtest_teardown)
"""
# Each test but the first plants a leak; `nightread` is a program that says what it is told.
TESTS = """
import logging, sqlite3, subprocess, sys
import pydicom, structlog

def patient(name):
    ds = pydicom.Dataset()
    ds.PatientName, ds.PatientID = name, name.replace("^", "-")
    return ds

def say(words, **options):
    code = "import sys; sys.stderr.write(sys.argv[2])"
    return [sys.executable, "-c", code, "nightread", words]

def test_clean():
    patient("NOBODY^LOGS")
    logging.getLogger("x").warning("1.2.3 came")
    subprocess.run(say("1.2.4 came"), capture_output=True)

def test_in_process():
    patient("FIRST^LEAK")
    logging.getLogger("x").warning("read FIRST^LEAK")

def test_structured():
    patient("SECOND^LEAK")
    structlog.get_logger().info("came", patient_id="SECOND-LEAK")

def test_pipe():
    patient("THIRD^LEAK")
    subprocess.run(say("the study of THIRD came"), capture_output=True)

def test_file(tmp_path):
    patient("FOURTH^LEAK")
    with (tmp_path / "said").open("wb") as file:
        subprocess.run(say('{"name": "FOURTH^LEAK"}'), stderr=file)

def test_records(tmp_path):
    base = sqlite3.connect(tmp_path / "x.sqlite")
    base.execute("CREATE TABLE patients (patient_name, patient_id, patient_birth_date)")
    base.execute("CREATE TABLE studies (accession_number)")
    base.execute("INSERT INTO patients VALUES ('x', 'y', '1961-02-03')")
    base.commit()
    base.close()
    logging.getLogger("x").warning("born 1961-02-03")

def test_late():
    logging.getLogger("x").warning("FIFTH^HIDDEN was named before anybody knew the name")

def test_last():
    patient("FIFTH^HIDDEN")
"""


def test_a_patient_in_a_log_fails_the_test_that_left_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_planted.py").write_text(TESTS)
    tests = str(Path(__file__).parent)
    known = environment()
    known["PYTHONPATH"] += f":{tests}"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"),
            # Of its own: at its end it would remove older folders, and ours is one.
            *(f"--basetemp={tmp_path / 'planted'}", "test_planted.py"),
        ],
        cwd=tmp_path,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = {
        line.split("::")[1].split()[0]
        for line in ran.stdout.splitlines()
        if line.startswith("ERROR test_planted")
    }
    planted = {"in_process", "structured", "pipe", "file", "records", "last"}
    assert failed == {f"test_{name}" for name in planted}, ran.stdout + ran.stderr
    assert "lines of logs name a patient" in ran.stdout


@pytest.mark.parametrize(
    ("patient", "line"),
    [
        ("Müller^Anna", '{"event": "x", "who": "M\\u00fcller^Anna"}'),
        ("DOE^JANE", "who=DOE^JANE]"),
        ("DOE^JANE^^DR", "study of JANE."),
        ("P-0815", "/archive/P-0815/1.dcm"),
        ("19610203", "born on 1961-02-03"),
        ("山田^太郎=Yamada^Tarou", "Yamada"),
    ],
)
def test_a_patient_is_seen_in_many_forms(patient: str, line: str) -> None:
    watch = PatientWatch()
    watch.use(patient)
    watch.hear(line)
    assert watch.found() == [line]


def test_what_is_no_patient_is_not_seen() -> None:
    watch = PatientWatch()
    for each in ("P1", "19610203", "DOE^JANE", None, ""):
        watch.use(each)
    watch.hear("1.2.19610203.4 P1 was stored by DOES on 2026-01-01")
    assert watch.found() == []
