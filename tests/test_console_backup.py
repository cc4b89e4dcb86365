"""Backups: taken while images come in, restored elsewhere, and compared with what is there."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from console import nightread
from installation import Installation

from dicom_listener.settling import Settling
from phantoms.load import write_load
from screening.archive.folder_archive import FolderArchive
from screening.queue.embedded import EmbeddedRedis
from screening.records.engine import Records
from screening.records.snapshot import count_instances
from screening.settings import Settings
from screening.teaching.pseudonyms import open_pseudonyms


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings)
    yield opened
    opened.stop()


def archive_files(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "archive" / "instances").rglob("*.dcm")}


def verify(folder: Path, *options: str) -> tuple[int, dict[str, list[object]]]:
    ran = nightread("verify", "--json", *options, cwd=folder.parent, data_dir=folder)
    return ran.returncode, json.loads(ran.stdout)


def test_a_backup_is_an_installation_elsewhere(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    films = write_load(tmp_path / "films", 6, 2, side=96)
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    installation.send(films[:8])
    backup, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    chosen = {"data_dir": settings.data_dir}
    ran = nightread("backup", backup, cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    assert (backup / "records.sqlite").stat().st_mode & 0o777 == 0o600
    installation.send(films[8:])
    # Of the archive a second backup takes what is new; of the records, all.
    shutil.copytree(backup, tmp_path / "first")
    again = nightread("backup", backup, cwd=tmp_path, **chosen)
    assert "4 new files" in again.stderr
    assert len(archive_files(backup)) == 12

    # The records of the first, and the files of the second: four came after the backup.
    shutil.copyfile(tmp_path / "first" / "records.sqlite", backup / "records.sqlite")
    ran = nightread("restore", backup, cwd=tmp_path, data_dir=elsewhere)
    assert ran.returncode == 0, ran.stderr
    status, found = verify(elsewhere, "--digests")
    assert (status, found["files"], found["troubles"]) == (0, 8, [])
    assert len(found["without_record"]) == 4
    installation.stop()
    # As a listener does when it starts, but for the half minute that it leaves to others.
    other = Installation(settings.model_copy(update={"data_dir": elsewhere}))
    archive = FolderArchive(elsewhere / "archive")
    assert Settling(archive, other.records, "here:1", 0.0).settle(threading.Event()) == 4
    other.stop()
    assert verify(elsewhere)[1]["without_record"] == []

    twice = nightread("restore", backup, cwd=tmp_path, data_dir=elsewhere)
    assert (twice.returncode, "nothing is overwritten" in twice.stderr) == (1, True)


def test_what_is_missing_or_damaged_is_named(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    installation.send(write_load(tmp_path / "films", 1, 3, side=96))
    installation.stop()
    gone, hurt, _ = sorted((settings.data_dir / "archive" / "instances").rglob("*.dcm"))
    gone.unlink()
    content = bytearray(hurt.read_bytes())
    content[-20] ^= 1
    hurt.write_bytes(content)
    status, found = verify(settings.data_dir)
    assert (status, [each["why"] for each in found["troubles"]]) == (1, ["missing"])  # type: ignore[index]
    status, found = verify(settings.data_dir, "--digests")
    whys = {each["file"]: each["why"] for each in found["troubles"]}  # type: ignore[index]
    assert whys == {gone.stem: "missing", hurt.stem: "damaged: its bytes are not those that came"}
    ran = nightread("verify", cwd=tmp_path, data_dir=settings.data_dir)
    assert "1 missing or damaged" in ran.stdout


def test_a_backup_of_postgresql_is_restored_into_an_empty_database(
    postgresql_url: str, settings: Settings, tmp_path: Path
) -> None:
    from filed_cases import file_study

    import migrations
    from screening.domain.prediction import Prediction

    records = Records(postgresql_url)
    migrations.upgrade(records)
    file_study(records, "1.1", Prediction(0.9))
    chosen = {"data_dir": settings.data_dir, "database_url": postgresql_url}
    backup = tmp_path / "backup"
    ran = nightread("backup", backup, "--records-only", cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    full = nightread("restore", backup, cwd=tmp_path, **chosen)
    assert (full.returncode, "has tables already" in full.stderr) == (1, True)
    empty(records)
    ran = nightread("restore", backup, cwd=tmp_path, **chosen)
    assert ran.returncode == 0, ran.stderr
    assert count_instances(records) == 1
    records.close()


def empty(records: Records) -> None:
    from sqlalchemy import text

    with records.write() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def test_a_log_that_a_crash_left_is_not_replayed_into_a_restore(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    # Of the records alone; installation has made them.
    assert installation.records is not None
    backup = tmp_path / "a backup %20?"
    chosen = {"data_dir": settings.data_dir}
    assert nightread("backup", backup, "--records-only", cwd=tmp_path, **chosen).returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "nightread.sqlite-wal").write_bytes(b"of another time")
    ran = nightread("restore", backup, cwd=tmp_path, data_dir=other)
    assert (ran.returncode, "nightread.sqlite-wal" in ran.stderr) == (1, True)
    (other / "nightread.sqlite-wal").unlink()
    ran = nightread("restore", backup, cwd=tmp_path, data_dir=other)
    assert ran.returncode == 0, ran.stderr
    same = nightread("backup", settings.data_dir, cwd=tmp_path, **chosen)
    assert (same.returncode, "the installation itself" in same.stderr) == (1, True)


def test_the_key_of_exports_comes_back_and_never_over_another_one(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    assert installation.records is not None
    key = open_pseudonyms(settings.export_key).key
    backup, other, third = tmp_path / "backup", tmp_path / "other", tmp_path / "third"
    chosen = {"data_dir": settings.data_dir}
    assert nightread("backup", backup, "--records-only", cwd=tmp_path, **chosen).returncode == 0
    assert (backup / "export.key").stat().st_mode & 0o777 == 0o600
    assert nightread("restore", backup, cwd=tmp_path, data_dir=other).returncode == 0
    assert open_pseudonyms(other / "export.key").key == key
    third.mkdir()
    theirs = open_pseudonyms(third / "export.key").key
    ran = nightread("restore", backup, cwd=tmp_path, data_dir=third)
    assert (ran.returncode, "another key and stays" in ran.stderr) == (0, True)
    assert open_pseudonyms(third / "export.key").key == theirs
    settings.export_key.unlink()
    open_pseudonyms(settings.export_key)
    ran = nightread("backup", backup, "--records-only", cwd=tmp_path, **chosen)
    assert "NOT in this backup" in ran.stderr
    assert (backup / "export.key").read_bytes() == key


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = nightread("restore", "empty", cwd=tmp_path)
    assert (ran.returncode, "has no records.sqlite" in ran.stderr) == (1, True)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "records.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    ran = nightread("restore", "broken", cwd=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert not (tmp_path / "nightread-data" / "nightread.sqlite").exists()
    ran = nightread("backup", "somewhere", cwd=tmp_path)
    assert (ran.returncode, "no records" in ran.stderr) == (1, True)
