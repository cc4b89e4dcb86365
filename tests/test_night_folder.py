"""A folder as a batch: junk is listed, nothing stops it, and killed it goes on where it was."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import wait_until
from console import environment, nightread
from desk import TestDesk
from installation import Installation
from pydicom import dcmread
from pydicom.fileset import FileSet
from sqlalchemy import update

from night.folder import FolderImport, file_name, named_files
from pacs.peer import Peer
from pacs.send import Sent
from pacs.survey import LeftOut, Part10File, survey
from phantoms.load import write_load
from screening.archive.folder_archive import FolderArchive
from screening.domain.night_batch import FOLDER, BatchState
from screening.errors import BatchError
from screening.queue.embedded import EmbeddedRedis
from screening.records.batch_files import count_files
from screening.records.night_batches import begin_or_go_on, find_batch
from screening.records.night_tally import tally_batch
from screening.records.result_schema import ScoreRow
from screening.settings import Settings

STUDIES, IMAGES = 12, 2


@pytest.fixture
def installation(settings: Settings, embedded_redis: EmbeddedRedis) -> Iterator[Installation]:
    opened = Installation(settings)
    yield opened
    opened.stop()


def chosen(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in ("data_dir", "dicom_port")}


def junk(folder: Path, films: list[Path]) -> None:
    """Put among films what people have there: text, a broken file, a copy, something else."""
    (folder / "notes.txt").write_text("Müller, left hand, please look")
    (folder / "empty.dcm").touch()
    (folder / "broken.dcm").write_bytes(films[0].read_bytes()[:140])
    (folder / "headless.dcm").write_bytes(bytes(128) + b"DICM" + os.urandom(400))
    (folder / "z copy.dcm").write_bytes(films[0].read_bytes())
    (folder / os.fsdecode(b"M\xfcller.txt")).write_text("a name of another time")
    content = bytearray(films[1].read_bytes())
    del content[-2000:]
    (folder / "z cut short.dcm").write_bytes(content)


def burn(films: list[Path], folder: Path) -> None:
    """Write a file-set with its DICOMDIR."""
    with warnings.catch_warnings():
        # A FileSet leaves its temporary folder to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        disc = FileSet()
        for path in films:
            disc.add(path)
        disc.write(folder)
        del disc
        gc.collect()


def test_a_folder_with_junk_is_screened_with_one_command(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    films = write_load(folder, STUDIES, IMAGES, side=96)
    junk(folder, films)
    for command in ("listen", "work"):
        installation.start(command)
    wait_until(installation.listens, 30, "the door answers")
    ran = nightread("batch", "folder", folder, cwd=tmp_path, **chosen(settings))
    assert ran.returncode == 1, "three of the files may hold images that nobody can read"
    with installation.records.read() as session:
        batch, files = find_batch(session, 1), count_files(session, 1)
        tally = tally_batch(session, 1)
    assert batch is not None
    assert batch.state is BatchState.FINISHED
    assert (files.looked_at, files.came, files.repeated) == (STUDIES * IMAGES + 7, 25, 1)
    assert (sum(files.left_out.values()), files.lost) == (6, 3)
    assert (tally.here, tally.scored, tally.waiting) == (STUDIES * IMAGES, STUDIES * IMAGES, 0)
    for name in ("M\\xfcller.txt", "notes.txt", "empty.dcm", "broken.dcm", "headless.dcm"):
        assert f"{name}: " in ran.stdout
    assert "1 of them an image that came before" in ran.stdout
    assert "z cut short.dcm: other bytes under the UID of an image that is here" in ran.stdout

    installation.assert_scored_once(STUDIES * IMAGES)
    with installation.records.begin() as session:
        session.execute(update(ScoreRow).values(model_version="0.0.1"))
    ran = nightread("batch", "rescreen", cwd=tmp_path, **chosen(settings))
    assert ran.returncode == 0, ran.stderr
    assert f"{STUDIES * IMAGES} were let wait for it" in ran.stdout
    assert ran.stdout.rstrip().endswith("complete")
    for dossier in installation.dossiers():
        for image in dossier.images:
            old, new = image.scores
            assert (old.model_version, new.probability) == ("0.0.1", old.probability)
    told = json.loads(
        nightread("batch", "show", 1, "--json", cwd=tmp_path, **chosen(settings)).stdout
    )
    assert len(told["files_left_out"]) == 6
    again = nightread("batch", "folder", folder, cwd=tmp_path, **chosen(settings))
    assert "batch 3 has begun" in again.stderr
    assert installation.tally().received == STUDIES * IMAGES


def test_a_folder_goes_on_where_it_was_killed(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    write_load(folder, 150, IMAGES, side=96)
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    command = [sys.executable, "-P", "-m", "nightread", "batch", "folder", str(folder)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(**chosen(settings)))

    def looked_at() -> int:
        with installation.records.read() as session:
            return count_files(session, 1).looked_at

    wait_until(lambda: 0 < looked_at() < 300, 60, "some files are in")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(**chosen(settings)),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: installation.tally().received == 300, 60, "all of it is in")
    wait_until(lambda: looked_at() == 300, 60, "and known")
    process.terminate()
    _, said = process.communicate()
    assert "batch 1 goes on" in said


def test_a_dicomdir_names_its_files(
    installation: Installation, settings: Settings, tmp_path: Path
) -> None:
    burn(write_load(tmp_path / "films", 2, 1, side=96), tmp_path / "disc")
    (tmp_path / "disc/README.TXT").write_text("a viewer")
    installation.start("listen")
    wait_until(installation.listens, 30, "the door answers")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nightread", "batch", "folder", "disc/DICOMDIR"],
        cwd=tmp_path,
        env=environment(**chosen(settings)),
    )
    wait_until(lambda: installation.tally().received == 2, 60, "both are in")
    process.terminate()
    process.wait()
    with installation.records.read() as session:
        assert count_files(session, 1).left_out == {}


def test_a_dicomdir_whose_files_have_other_case_or_are_gone(tmp_path: Path) -> None:
    burn(write_load(tmp_path / "films", 2, 2, side=64), tmp_path / "disc")
    files = sorted(
        p for p in (tmp_path / "disc").rglob("*") if p.is_file() and p.name != "DICOMDIR"
    )
    assert len(files) == 4
    files[0].unlink()
    files[1].rename(files[1].with_name(files[1].name.lower()))
    found = list(named_files(tmp_path / "disc" / "DICOMDIR"))
    assert len([each for each in found if isinstance(each, Part10File)]) == 3
    (gone,) = [each for each in found if isinstance(each, LeftOut)]
    assert (gone.is_damaged, gone.why) == (True, "named by the DICOMDIR, and not there")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "named", [["..", "secret"], ["", "tmp"], ["a/../../secret"], ["x" * 400], ["PIPE"]]
)
def test_a_dicomdir_leads_nowhere_else(tmp_path: Path, named: list[str]) -> None:
    disc = tmp_path / "disc"
    burn(write_load(tmp_path / "films", 1, 1, side=64), disc)
    write_load(tmp_path / "elsewhere", 1, 1, side=64)[0].rename(tmp_path / "secret")
    os.mkfifo(disc / "PIPE")
    index = dcmread(disc / "DICOMDIR")
    for record in index.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record.ReferencedFileID = named
    index.save_as(disc / "DICOMDIR")
    (found,) = named_files(disc / "DICOMDIR")
    assert isinstance(found, LeftOut)
    assert found.is_damaged


def test_other_bytes_are_listed_though_the_door_had_no_room_after_them(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.data_dir.mkdir()
    desk = TestDesk(settings)
    films = write_load(tmp_path / "films", 2, 1, side=64)
    first = dcmread(films[0])
    desk.file(first, None)
    first.PatientComments = "other bytes"
    first.save_as(films[0])

    def half(files: list[Part10File], _: Peer) -> Iterator[Sent]:
        yield Sent(files[0].path, files[0].sop_instance_uid, 0x0000, True, "")
        yield Sent(files[1].path, files[1].sop_instance_uid, 0xA700, False, "no room")

    monkeypatch.setattr("night.folder.send", half)
    archive = FolderArchive(settings.archive_dir)
    with desk.records.begin() as session:
        batch, _ = begin_or_go_on(session, FOLDER, {"folder": "films"}, desk.now)
    door = Peer("127.0.0.1", 1, "A", "B")
    with pytest.raises(BatchError, match="no room"):
        list(FolderImport(desk.records, archive, door).run(batch, tmp_path / "films"))
    with desk.records.read() as session:
        files = count_files(session, batch.row)
    assert (files.looked_at, files.came, files.lost) == (1, 0, 1)
    desk.close()


def test_no_two_files_have_one_name() -> None:
    alike = [Path("a\\xff.dcm"), Path(os.fsdecode(b"a\xff.dcm"))]
    assert len({file_name(each) for each in alike}) == 2


def test_links_and_pipes_in_a_folder_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    write_load(folder, 1, 1, side=64)
    (tmp_path / "other").mkdir()
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    said = {each.path.name: each.why for each in survey([folder]) if isinstance(each, LeftOut)}
    assert set(said) == {"link", "broken", "pipe"}
    assert "not followed" in said["link"]


def test_what_cannot_be_brought_in_is_said(settings: Settings, tmp_path: Path) -> None:
    installation = Installation(settings)
    installation.stop()
    gone = nightread("batch", "folder", "gone", cwd=tmp_path, **chosen(settings))
    assert (gone.returncode, "does not exist" in gone.stderr) == (1, True)
    write_load(tmp_path / "films", 1, 1, side=96)
    shut = nightread("batch", "folder", "films", cwd=tmp_path, **chosen(settings))
    assert (shut.returncode, "nobody answers" in shut.stderr) == (1, True)
