from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from blake3 import blake3

from screening.archive.folder_archive import FolderArchive
from screening.archive.incoming_file import IncomingFile, content_digest
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveError, OutOfSpaceError

DIGEST = blake3(b"1.2\0content").hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


def arrive(archive: FolderArchive, content: bytes = b"content") -> IncomingFile:
    file = archive.receive(b"meta", "1.2")
    file.write(memoryview(content))
    return file


def test_what_is_kept_lies_under_its_digest_and_nowhere_else(archive: FolderArchive) -> None:
    assert archive.keep(arrive(archive)) == KeptFile(DIGEST, 11)
    assert archive.open_path(DIGEST).read_bytes() == b"metacontent"
    assert archive.open_path(DIGEST).parts[-2:] == (DIGEST[:2], f"{DIGEST}.dcm")
    assert list(archive.incoming.iterdir()) == []


def test_only_the_owner_may_read_it(archive: FolderArchive) -> None:
    archive.keep(arrive(archive))
    for folder in (archive.incoming, *archive.path(DIGEST).parents[:2]):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_the_file_is_synced_before_its_name_and_its_name_before_the_return(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    archive.keep(arrive(archive))
    assert steps == ["file", "rename", "folder"]


def test_keeping_the_same_content_again_mends_what_was_damaged(archive: FolderArchive) -> None:
    archive.keep(arrive(archive))
    archive.path(DIGEST).write_bytes(b"metacon")
    assert archive.keep(arrive(archive)) == KeptFile(DIGEST, 11)
    assert archive.open_path(DIGEST).read_bytes() == b"metacontent"


def test_a_file_is_locked_until_it_has_left_the_folder_of_what_arrives(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def swept_before(self: Path, target: Path) -> Path:
        os.utime(self, (0, 0))  # the disk took its time over the sync
        assert archive.clear_incoming(600) == 0
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", swept_before)
    assert archive.keep(arrive(archive)) == KeptFile(DIGEST, 11)


def test_a_missing_instance_is_an_error_that_says_what_to_do(archive: FolderArchive) -> None:
    with pytest.raises(ArchiveError, match="send the image again"):
        archive.open_path(DIGEST)


def test_too_little_free_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path, minimum_free_bytes=1 << 60)
    with pytest.raises(OutOfSpaceError, match="NIGHTREAD_MINIMUM_FREE_GIGABYTES"):
        archive.require_space()


def test_a_disk_that_fills_up_while_writing_is_named(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    arrived = arrive(archive)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutOfSpaceError, match="make room"):
        archive.keep(arrived)
    assert not archive.path(DIGEST).exists()
    monkeypatch.undo()
    monkeypatch.setattr(os, "write", full)
    half = arrive(archive)
    with pytest.raises(OutOfSpaceError, match="make room"):
        half.require_whole()
    assert not half.path.exists(), "what it took is free again at once"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArchiveError, match="cannot write"):
        FolderArchive(tmp_path / "file" / "archive")


def test_debris_is_removed_and_what_still_arrives_is_left(archive: FolderArchive) -> None:
    arriving = arrive(archive)
    debris = archive.incoming / "tmp2.dcm"
    debris.write_bytes(b"half")
    os.utime(debris, (time.time() - 700, time.time() - 700))
    assert archive.clear_incoming(600) == 1
    assert arriving.path.exists()
    assert not debris.exists()


def test_the_digest_is_of_the_data_set_and_its_transfer_syntax(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"meta" + b"data" * 1_000_000)
    two.write_bytes(b"other meta" + b"data" * 1_000_000)
    first = content_digest(one, offset=4, transfer_syntax_uid="1.2")
    assert first == content_digest(two, offset=10, transfer_syntax_uid="1.2")
    assert first != content_digest(one, offset=4, transfer_syntax_uid="1.2.1")
    assert first != content_digest(one, offset=8, transfer_syntax_uid="1.2")
    assert len(first) == 64
