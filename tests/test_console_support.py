"""The support bundle: all that helps, whatever is broken, and nobody who could be recognised."""

from __future__ import annotations

import datetime as dt
import json
import socket
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port
from console import nightread
from filed_cases import file_study

import migrations
from nightread.check_packages import OUR_PACKAGES
from nightread.own_words import OwnWords
from nightread.support_machine import HOME
from screening.domain.account import Actor, Role
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.queue.embedded import EmbeddedRedis
from screening.records import audit
from screening.records.association import (
    Caller,
    Outcome,
    close_association,
    count_refusals,
    open_association,
    reject_association,
)
from screening.records.deliveries import DeliveryRow
from screening.records.engine import Records
from screening.settings import Settings

SECTIONS = {
    *("made", "versions", "packages", "settings", "machine", "records", "ledger", "associations"),
    *("errors", "audit", "queue", "metrics", "logs", "doctor"),
}
# What stands nowhere in our source: each is a patient, or would lead to one.
MARKERS = {
    "patient_name": "QUILLOVAR^ZYLPHA^MIRABETH",
    "patient_id": "ZZ-88123477",
    "issuer_of_patient_id": "XYVOSPITAL",
    "accession_number": "ACCQ7719352",
    "study_description": "vorplexed ulnaquist after fall from tramvox",
    "referring_physician": "DRABBLEWICK^OSMO",
    "institution": "Saint Zephyrine Klinikum",
    "study_id": "SQ8812349",
}
UID = "1.2.840.998877.6655443.3322110"
# Secrets of the installation, which are not of a patient and go nowhere either.
SECRETS = ("wrenfolk", "hushmoor", "gribblenox")


def pieces() -> list[bytes]:
    """Return each word that must not be found, in the cases that a program may give it."""
    words = {UID, "998877", "6655443", *SECRETS}
    for marker in MARKERS.values():
        words |= set(marker.replace("^", " ").replace("-", " ").split())
    # What any sentence may hold.
    words -= {"after", "fall", "from", "Saint", "ZZ"}
    return [word.lower().encode() for word in words]


def inside(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        return {
            name.removesuffix(".json"): json.loads(archive.read(name))
            for name in archive.namelist()
            if name.endswith(".json")
        }


def everything(bundle: Path) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist()).lower()


def make(folder: Path, *options: object, **settings: object) -> tuple[dict[str, Any], Path]:
    bundle = folder / "support.zip"
    bundle.unlink(missing_ok=True)
    ran = nightread("support", "--to", bundle, *options, cwd=folder, **settings)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    found = inside(bundle)
    assert set(found) == SECTIONS
    return found, bundle


def said_failed(found: dict[str, Any]) -> set[str]:
    return {name for name, told in found.items() if isinstance(told, dict) and "not_told" in told}


def fill(records: Records) -> None:
    """File a marked patient wherever a text can stand."""
    elements: dict[str, Any] = dict(MARKERS)
    sentence = f"cannot read {' '.join(MARKERS.values())} of {UID}"
    file_study(records, UID, Prediction(0.9), Exclusion(Reason.ERROR, sentence), None, **elements)
    with records.begin() as session:
        now = dt.datetime.now(dt.UTC)
        stranger = Caller(MARKERS["patient_id"], MARKERS["patient_id"], "10.9.8.7", sentence)
        reject_association(session, stranger, now, sentence)
        row = open_association(session, Caller("PACS", "NIGHTREAD", "10.9.8.7", "here:1"), now)
        count_refusals(session, row, f"0xA900 {sentence}")
        close_association(session, row, outcome=Outcome.ABORTED, now=now, explanation=sentence)
        audit.note(
            session,
            Actor(MARKERS["patient_name"], Role.VIEWER, "10.9.8.7"),
            audit.Event.LISTED,
            now,
            study_instance_uid=UID,
            detail=sentence,
        )
        session.add(
            DeliveryRow(
                study_row=1,
                destination=MARKERS["institution"],
                state="dead",
                changes=1,
                again=False,
                attempts=3,
                due_at=now,
                first_due_at=now,
                last_error=sentence,
            )
        )


def log_of(folder: Path) -> Path:
    """Write a log in which a marked patient stands in every place."""
    name, sentence = MARKERS["patient_name"], f"cannot read {MARKERS['patient_name']} of {UID}"
    lines = [
        {"event": "batch_screened", "level": "info", "images": 3, "study_row": 17},
        {"event": sentence, "level": "error", "error": sentence, name: name, "where": [sentence]},
        {"event": "round_failed", "level": "error", "timestamp": name, "more": {name: name}},
    ]
    # As no *.log: the watch over the suite's own logs would find these patients.
    path = folder / "worker.txt"
    said = [json.dumps(line) for line in lines]
    path.write_text("\n".join([*said, f"Mar 1 22:00 host worker[1]: {said[0]}", sentence]))
    return path


@pytest.fixture
def filled(settings: Settings) -> Settings:
    records = Records(settings.records_url)
    migrations.upgrade(records)
    fill(records)
    records.close()
    return settings


def test_the_bundle_tells_much_and_nobody(
    filled: Settings, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    secret = tmp_path / SECRETS[0] / "destinations.toml"
    chosen = {
        "data_dir": filled.data_dir,
        "destinations_file": secret,
        "openid_client_secret": SECRETS[1],
        "viewer_links": f"OHIF=https://{SECRETS[2]}/?u={{study}}",
        "dicom_port": free_port(),
        "worklist_port": free_port(),
    }
    found, bundle = make(tmp_path, "--log", log_of(tmp_path), **chosen)
    assert said_failed(found) == set()
    content = everything(bundle)
    assert [word for word in pieces() if word in content] == []
    assert bundle.stat().st_mode & 0o777 == 0o600

    assert found["records"]["tables"]["instances"] == 3
    assert found["records"]["words"]["exclusions.reason"] == {"error": 1}
    assert found["ledger"]["images"]["received"] == 3
    assert found["audit"]["whole"] is True
    assert found["associations"]["PACS"]["aborted"] == 1
    assert found["associations"]["(others)"] == {"rejected": 1}
    (error,) = found["errors"]["exclusions.detail"]
    assert error["said"].startswith("cannot read *")
    assert found["queue"]["redis"]["redis_version"]
    assert found["queue"]["queues"] == {"nightread": 0, "nightread.overnight": 0}
    assert found["settings"]["NIGHTREAD_OPENID_CLIENT_SECRET"]["value"] == "set"
    assert found["versions"]["libraries"]["sqlalchemy"]
    lines = found["logs"]["log 1"]["lines"]
    assert lines[0] == {
        "event": "batch_screened",
        "level": "info",
        "images": 3,
        "study_row": 17,
    }
    assert (len(lines), found["logs"]["log 1"]["left_out_as_not_ours"]) == (4, 1)
    assert {each["subject"] for each in found["doctor"]} >= {"database", "Redis", "destinations"}


def test_the_bundle_is_shown_before_it_is_sent(filled: Settings, tmp_path: Path) -> None:
    _, bundle = make(tmp_path, data_dir=filled.data_dir)
    ran = nightread("support", "--list", bundle, cwd=tmp_path)
    assert ran.stdout.startswith("== README.txt, ")
    for name in SECTIONS:
        assert f"== {name}.json, " in ran.stdout
        assert f"\n{name}.json: " in ran.stdout
    assert '"instances": 3' in ran.stdout
    again = nightread("support", "--to", bundle, cwd=tmp_path, data_dir=filled.data_dir)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    other = nightread("support", "--list", tmp_path / "none.zip", cwd=tmp_path)
    assert (other.returncode, "cannot be read" in other.stderr) == (1, True)
    neither = nightread("support", cwd=tmp_path)
    assert (neither.returncode, "--to FILE.zip" in neither.stderr) == (2, True)


def test_a_database_that_is_away_takes_its_sections_alone(tmp_path: Path) -> None:
    url = f"postgresql://{SECRETS[0]}:{SECRETS[1]}@127.0.0.1:{free_port()}/{SECRETS[2]}"
    redis = f"redis://:{SECRETS[0]}@127.0.0.1:{free_port()}/0"
    found, bundle = make(tmp_path, database_url=url, redis_url=redis)
    assert said_failed(found) == {"records", "ledger", "associations", "errors", "audit", "queue"}
    assert found["records"]["not_told"] == "RecordsError"
    assert "connection" in found["records"]["said"]
    assert found["machine"]["cores"] >= 1
    content = everything(bundle)
    assert [secret for secret in SECRETS if secret.encode() in content] == []
    told = found["settings"]["NIGHTREAD_DATABASE_URL"]["value"]
    assert told.startswith("postgresql+psycopg://127.0.0.1:")
    levels = {each["subject"]: each["level"] for each in found["doctor"]}
    assert (levels["database"], levels["Redis"]) == ("FAIL", "FAIL")


def test_wrong_settings_take_what_needs_them(tmp_path: Path) -> None:
    found, _ = make(tmp_path, dicom_port="99999", openid_client_secret=SECRETS[0])
    assert said_failed(found) == SECTIONS - {"made", "versions", "packages", "logs"}
    assert "NIGHTREAD_DICOM_PORT" in found["settings"]["said"]


def test_records_that_are_damaged_and_an_archive_that_is_away_are_said(
    filled: Settings, tmp_path: Path
) -> None:
    (filled.data_dir / "nightread.sqlite").write_bytes(b"not a database" * 1000)
    for end in ("-wal", "-shm"):
        (filled.data_dir / f"nightread.sqlite{end}").unlink(missing_ok=True)
    found, _ = make(tmp_path, data_dir=filled.data_dir)
    assert {"records", "ledger", "errors", "audit"} <= said_failed(found)
    assert found["machine"]["disks"]["archive"] == {"failed": "No such file or directory"}
    assert found["machine"]["disks"]["data"]["free_bytes"] > 0


def test_a_process_that_does_not_answer_is_said(filled: Settings, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        chosen = {"listener_watch_port": free_port(), "worker_watch_port": deaf.getsockname()[1]}
        found, _ = make(tmp_path, data_dir=filled.data_dir, **chosen)
    assert found["metrics"] == {
        "listener": "not answered: ConnectionRefusedError",
        "worker": "not answered: TimeoutError",
    }


def test_of_a_text_our_own_words_are_left() -> None:
    own = OwnWords(HOME, OUR_PACKAGES)
    assert own.only("the archive is full: 123 images") == "the archive is full: 123 images"
    assert own.only("patient Quillovar, 19470312, 4711") == "patient *, *, *"
    assert own.only("from 1947-03-12 or 12.03.1947") == "from * or *"
    assert own.only(f"study {UID} of ZZ88123477") == "study * of *"
    assert own.only("127.0.0.1 port 11112") == "127.0.0.1 port *"
