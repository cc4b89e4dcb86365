"""From a PACS to the list of cases: DCMTK and Orthanc send real radiographs to real processes."""

from __future__ import annotations

import csv
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from installation import Installation
from orthanc_server import Orthanc
from test_listener_store import Door

from screening.dicom.wrap import wrap_file
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings

WHEN = dt.datetime(2026, 3, 1, 21, 30)


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings)
    opened.start("listen")
    opened.start("work")
    wait_until(opened.listens, 30, "the door answers")
    yield opened
    opened.stop()


@pytest.fixture
def films(test_data: Path, tmp_path: Path) -> list[Path]:
    """Six real radiographs of the test split, three of them fractured, wrapped as DX."""
    with (test_data / "fracatlas/index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    chosen = [row for row in rows if row["label"] == "fractured"][:3]
    chosen += [row for row in rows if row["label"] == "not_fractured"][:3]
    paths = []
    for number, row in enumerate(chosen):
        target = tmp_path / "films" / f"{number}.dcm"
        target.parent.mkdir(exist_ok=True)
        wrap_file(
            test_data / "fracatlas" / row["path"],
            target,
            now=WHEN,
            patient_id=f"FILM-{number}",
            accession_number=f"A{number}",
            body_part={"hand": "HAND", "leg": "LEG"}.get(row["body_part"], "EXTREMITY"),
        )
        paths.append(target)
    return paths


def cases(installation: Installation, *options: str) -> list[dict[str, Any]]:
    """Return what ``nightread cases --json`` prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "nightread", "cases", "--json", *options],
        env=installation.environment(),
        capture_output=True,
        check=True,
    )
    listed: list[dict[str, Any]] = json.loads(printed.stdout)
    return listed


def assert_listed(installation: Installation) -> None:
    installation.wait_until_screened(6, 120)
    listed = cases(installation, "--all")
    assert {case["patient_id"] for case in listed} == {f"FILM-{n}" for n in range(6)}
    for case in listed:
        assert case["verdict"] in {"suspected", "doubtful", "clear"}
        assert 0 <= case["score"] <= 1
        assert case["accession_number"] == f"A{case['patient_id'][-1]}"
        assert case["body_part"] in {"HAND", "LEG", "EXTREMITY"}
        assert case["study_date"] == "2026-03-01"
        assert (case["images_received"], case["images_scored"]) == (1, 1)
        assert case["model"]
        assert case["model_version"]
    scores = [case["score"] for case in listed if case["verdict"] == "suspected"]
    assert scores == sorted(scores, reverse=True)
    flagged = cases(installation)
    assert flagged == [case for case in listed if case["verdict"] != "clear"]


def test_dcmtk_delivers_radiographs_that_become_cases(
    installation: Installation, films: list[Path], dcmtk: Path
) -> None:
    command = [dcmtk / "storescu", "-aet", "DCMTK", "-aec", "NIGHTREAD", "127.0.0.1"]
    subprocess.run([*command, str(installation.settings.dicom_port), *films], check=True)
    assert_listed(installation)


def test_orthanc_pushes_radiographs_and_gets_their_results_back(
    installation: Installation,
    settings: Settings,
    films: list[Path],
    orthanc: Orthanc,
    tmp_path: Path,
) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(
        f"[[destination]]\nname='pacs'\nae_title='ORTHANC'\nhost='127.0.0.1'\n"
        f"port={orthanc.dicom_port}\n"
    )
    told = {"destinations_file": file, "delivery_quiet_seconds": 0.5}
    courier = Installation(settings.model_copy(update=told))
    courier.start("deliver")
    for film in films:
        orthanc.call("/instances", film.read_bytes())
    for study in orthanc.call("/studies"):
        orthanc.call("/modalities/nightread/store", study.encode())
    assert_listed(installation)

    def reports() -> int:
        return sum(
            each["MainDicomTags"].get("Modality") == "SR" for each in orthanc.call("/series?expand")
        )

    wait_until(lambda: reports() == 6, 60, "each study has its report", reports)
    assert len(orthanc.call("/studies")) == 6, "in the studies that were screened"
    courier.stop()


def test_orthanc_is_told_that_what_it_pushed_is_held(
    settings: Settings, films: list[Path], orthanc: Orthanc
) -> None:
    peers = {"ORTHANC": ("127.0.0.1", orthanc.dicom_port)}
    door = Door(settings.model_copy(update={"commitment_peers": peers}))
    try:
        for film in films[:2]:
            orthanc.call("/instances", film.read_bytes())
        job = {"Resources": orthanc.call("/instances"), "StorageCommitment": True}
        sent = orthanc.call("/modalities/nightread/store", json.dumps(job).encode())
        report = f"/storage-commitment/{sent['StorageCommitmentTransactionUID']}"
        wait_until(lambda: orthanc.call(report)["Status"] != "Pending", 30, "Orthanc is told")
        assert orthanc.call(report)["Status"] == "Success"
        assert len(orthanc.call(report)["Success"]) == 2
    finally:
        door.close()


def test_on_postgresql_and_a_redis_of_its_own(
    settings: Settings,
    postgresql_url: str,
    embedded_redis: EmbeddedRedis,
    films: list[Path],
    dcmtk: Path,
) -> None:
    chosen = {
        "database_url": postgresql_url.replace("postgresql://", "postgresql+psycopg://"),
        "redis_url": f"redis+socket://{settings.embedded_redis_socket}",
    }
    installation = Installation(settings.model_copy(update=chosen))
    try:
        installation.start("listen")
        installation.start("work")
        wait_until(installation.listens, 30, "the door answers")
        command = [dcmtk / "storescu", "-aec", "NIGHTREAD", "127.0.0.1"]
        subprocess.run([*command, str(settings.dicom_port), *films], check=True)
        assert_listed(installation)
    finally:
        installation.stop()
