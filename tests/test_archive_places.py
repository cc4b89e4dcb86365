"""What every archive promises, held against each place that it may lie in."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from archive_places import HEAD, SYNTAX, FolderPlace, Place, S3Place, arrive, opened
from blake3 import blake3

from screening.archive.archive import Archive
from screening.archive.copying import copy_files
from screening.archive.folder_archive import FolderArchive
from screening.archive.inspection import trouble_with
from screening.archive.opening import open_archive
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveAwayError, ArchiveError
from screening.settings import Settings

DIGEST = blake3(SYNTAX.encode() + b"\0content").hexdigest()
KEPT = KeptFile(DIGEST, len(HEAD) + 7)


@pytest.fixture(params=["folder", "share", "s3"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Place:
    if request.param == "s3":
        server, wire = request.getfixturevalue("s3_server"), request.getfixturevalue("wire")
        return S3Place(settings, server, wire, tmp_path)
    return FolderPlace(settings, tmp_path / "share", shared=request.param == "share")


# Of the data folder's own archive there is but one host, and it is made when it is first needed.
of_several_hosts = pytest.mark.parametrize("place", ["share", "s3"], indirect=True)


@pytest.fixture
def archive(place: Place) -> Archive:
    return opened(place)


def listed(archive: Archive, older_than_seconds: float = 0) -> list[KeptFile]:
    return [file for page in archive.kept_files(older_than_seconds) for file in page]


def keep_whole(archive: Archive, content: bytes) -> KeptFile:
    file = arrive(archive, content)
    file.require_whole()
    return archive.keep(file)


def test_what_is_kept_is_given_back_and_nothing_of_it_is_left_behind(archive: Archive) -> None:
    assert archive.keep(arrive(archive)) == KEPT
    assert archive.open_path(DIGEST).read_bytes() == HEAD + b"content"
    with archive.taken_out(DIGEST) as path:
        assert path.read_bytes() == HEAD + b"content"
    assert list(archive.incoming.iterdir()) == []
    assert (archive.holds(DIGEST), archive.size(DIGEST)) == (True, KEPT.size_bytes)


@of_several_hosts
def test_another_host_finds_it(place: Place, archive: Archive, tmp_path: Path) -> None:
    archive.keep(arrive(archive))
    other = place.settings.model_copy(update={"data_dir": tmp_path / "other"})
    assert open_archive(other).open_path(DIGEST).read_bytes() == HEAD + b"content"


def test_keeping_the_same_content_again_mends_what_was_damaged(
    place: Place, archive: Archive
) -> None:
    archive.keep(arrive(archive))
    place.overwrite(DIGEST, HEAD + b"CONTENT")
    assert archive.keep(arrive(archive)) == KEPT
    assert place.content(DIGEST) == HEAD + b"content"


def test_a_file_that_is_put_stays_where_it_was_as_well(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(HEAD + b"content")
    archive.put(DIGEST, tmp_path / "file")
    assert (tmp_path / "file").exists()
    assert archive.open_path(DIGEST).read_bytes() == HEAD + b"content"
    assert listed(archive) == [KEPT]


def test_an_instance_that_is_not_there_is_an_error_of_its_own(archive: Archive) -> None:
    assert not archive.holds(DIGEST)
    with pytest.raises(ArchiveError, match="send the image again") as found:
        archive.open_path(DIGEST)
    assert not isinstance(found.value, ArchiveAwayError)


def test_what_is_kept_is_listed_once_it_is_old_enough(archive: Archive) -> None:
    assert listed(archive) == []
    archive.keep(arrive(archive))
    other = archive.keep(arrive(archive, b"other"))
    assert sorted(file.digest for file in listed(archive)) == sorted([DIGEST, other.digest])
    assert listed(archive, older_than_seconds=60) == []


def test_what_is_removed_is_gone_and_removing_it_again_is_nothing(archive: Archive) -> None:
    archive.keep(arrive(archive))
    archive.open_path(DIGEST)
    archive.remove(DIGEST)
    archive.remove(DIGEST)
    assert not archive.holds(DIGEST)
    with pytest.raises(ArchiveError, match="send the image again"):
        archive.open_path(DIGEST)


@pytest.mark.parametrize("content", [HEAD + b"CONTENT", HEAD + b"cont", b"no image at all", b""])
def test_verify_tells_what_lies_there_damaged(
    place: Place, archive: Archive, content: bytes
) -> None:
    archive.keep(arrive(archive))
    archive.open_path(DIGEST)  # a copy on this host must not vouch for it
    assert trouble_with(archive, DIGEST, SYNTAX, whole=True) is None
    place.overwrite(DIGEST, content)
    assert trouble_with(archive, DIGEST, SYNTAX, whole=True) is not None
    place.overwrite(DIGEST, HEAD + b"content")
    assert trouble_with(archive, DIGEST, SYNTAX, whole=True) is None


def test_an_archive_that_is_away_says_so_and_goes_on_when_it_is_back(
    place: Place, archive: Archive
) -> None:
    archive.keep(arrive(archive))
    place.take_away()
    for ask in (
        lambda: archive.open_path(DIGEST),
        lambda: archive.holds(DIGEST),
        lambda: archive.remove(DIGEST),
        lambda: listed(archive),
        archive.require_there,
    ):
        with pytest.raises(ArchiveAwayError):
            ask()
    with pytest.raises(ArchiveError):
        keep_whole(archive, b"other")
    place.bring_back()
    archive.require_there()
    assert archive.open_path(DIGEST).read_bytes() == HEAD + b"content"
    assert archive.keep(arrive(archive, b"other")).digest != DIGEST


@of_several_hosts
def test_an_archive_that_nobody_made_is_not_used(place: Place, archive: Archive) -> None:
    archive.keep(arrive(archive))
    place.lose_marker()
    with pytest.raises(ArchiveAwayError, match="nightread archive create"):
        archive.require_there()
    assert archive.create(), "it is made"
    assert not archive.create(), "it was there already"
    archive.require_there()
    assert listed(archive) == [KEPT]


def test_it_is_copied_away_and_back_and_no_file_twice(archive: Archive, tmp_path: Path) -> None:
    backup = FolderArchive(tmp_path / "backup")
    archive.keep(arrive(archive))
    assert list(copy_files(archive, backup)) == [True]
    assert list(copy_files(archive, backup)) == [False]
    archive.remove(DIGEST)
    assert list(copy_files(backup, archive)) == [True]
    assert list(copy_files(backup, archive)) == [False]
    assert archive.open_path(DIGEST).read_bytes() == HEAD + b"content"


def test_hosts_of_a_share_leave_what_the_others_are_receiving(tmp_path: Path) -> None:
    one = FolderArchive(tmp_path, host="one")
    one.create()
    other = FolderArchive(tmp_path, host="other")
    for archive in (one, other):
        archive.require_there()
    arriving, debris = arrive(one), one.incoming / "4711.part"
    debris.write_bytes(b"half")
    # The lock of another host may not be seen here: only a day says that it is nobody's.
    arriving._close()
    for path in (arriving.path, debris):
        _age(path, 3600)
    assert other.clear_incoming(5) == 0
    _age(debris, 90000)
    assert other.clear_incoming(5) == 1
    assert arriving.path.exists()
    assert one.clear_incoming(5) == 1


def _age(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at))
