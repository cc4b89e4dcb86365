"""What may go wrong between this host and a store of S3, and harms no image."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_places import HEAD, SYNTAX, S3Place, arrive, opened
from blake3 import blake3
from conftest import require
from faulty_wire import FaultyWire, http_error
from s3_server import S3Server, write_credentials

from screening.archive.archive import place_of
from screening.archive.bucket import Bucket
from screening.archive.cache import Cache
from screening.archive.opening import open_archive
from screening.archive.s3_archive import S3Archive
from screening.domain.s3_address import S3Address
from screening.errors import ArchiveAwayError, ArchiveError, OutOfSpaceError
from screening.settings import Settings

# Longer than what a socket holds, so that a wire that is cut is cut in the middle.
CONTENT = os.urandom(1_000_000)
DAMAGED = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
DIGEST = blake3(SYNTAX.encode() + b"\0" + CONTENT).hexdigest()

AWAY = {
    "cut": {"cut_request": 500_000},
    "cut in the header": {"cut_request": 100},
    "cut before the answer": {"cut_answer": 0},
    "silent": {"silent": True},
    "slow down": {"answer": http_error("503 Slow Down", "SlowDown")},
    "unavailable": {"answer": http_error("503 Service Unavailable", "ServiceUnavailable")},
    "internal": {"answer": http_error("500 Internal Server Error", "InternalError")},
    "no S3 at all": {"answer": b"SSH-2.0-OpenSSH_9.2\r\n"},
    "cut in the answer": {"cut_answer": 500_000},
    "no permission": {"answer": http_error("403 Forbidden", "AccessDenied")},
    "expired": {"answer": http_error("400 Bad Request", "ExpiredToken")},
    "clock": {"answer": http_error("403 Forbidden", "RequestTimeTooSkewed")},
    "elsewhere": {"answer": http_error("301 Moved Permanently", "PermanentRedirect")},
}


@pytest.fixture(scope="module")
def the_place(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[S3Place, S3Archive]]:
    """A bucket and its archive: a client costs a second to make."""
    folder = tmp_path_factory.mktemp("host")
    wire = FaultyWire(s3_server.port)
    settings = Settings(data_dir=folder, minimum_free_gigabytes=0)
    place = S3Place(settings, s3_server, wire, folder)
    made = opened(place, archive_seconds=4)
    assert isinstance(made, S3Archive)
    yield place, made
    wire.close()


@pytest.fixture
def place(the_place: tuple[S3Place, S3Archive]) -> Iterator[S3Place]:
    found, archive = the_place
    yield found
    found.wire.mend()
    found.empty()
    for path in cached(archive):
        path.unlink()


@pytest.fixture
def archive(place: S3Place, the_place: tuple[S3Place, S3Archive]) -> S3Archive:
    return the_place[1]


def cached(archive: S3Archive) -> list[Path]:
    folder = archive.incoming.with_name("cache")
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("fault", [name for name in AWAY if name != "cut in the answer"])
def test_what_is_not_acknowledged_is_refused_and_can_be_repeated(
    place: S3Place, archive: S3Archive, fault: str
) -> None:
    place.wire.break_(**AWAY[fault])
    began = time.monotonic()
    with pytest.raises(ArchiveAwayError, match="Images wait"):
        archive.keep(arrive(archive, CONTENT))
    assert time.monotonic() - began < 10, "a sender waits for the answer"
    assert list(archive.incoming.iterdir()) == []
    place.wire.mend()
    assert archive.keep(arrive(archive, CONTENT)).digest == DIGEST
    assert place.content(DIGEST) == HEAD + CONTENT


@pytest.mark.parametrize("fault", ["cut", "cut in the header"])
def test_a_cut_upload_leaves_no_object(place: S3Place, archive: S3Archive, fault: str) -> None:
    place.wire.break_(**AWAY[fault])
    with pytest.raises(ArchiveAwayError):
        archive.keep(arrive(archive, CONTENT))
    assert place.keys() == ["of/us/nightread-archive"]


@pytest.mark.parametrize("fault", [name for name in AWAY if name != "cut"])
def test_an_image_that_cannot_be_brought_waits(
    place: S3Place, archive: S3Archive, fault: str
) -> None:
    archive.keep(arrive(archive, CONTENT))
    place.wire.break_(**AWAY[fault])
    with pytest.raises(ArchiveAwayError, match="Images wait"):
        archive.open_path(DIGEST)
    assert cached(archive) == []
    place.wire.mend()
    assert archive.open_path(DIGEST).read_bytes() == HEAD + CONTENT


def test_an_answer_that_is_no_image_is_never_lent(place: S3Place, archive: S3Archive) -> None:
    archive.keep(arrive(archive, CONTENT))
    place.wire.break_(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    with pytest.raises(ArchiveError, match="damaged"):
        archive.open_path(DIGEST)
    assert cached(archive) == []


def test_bytes_that_change_on_their_way_there_are_refused_by_the_store(
    place: S3Place, archive: S3Archive
) -> None:
    place.wire.break_(flip_request=500_000)
    with pytest.raises(ArchiveError, match="BadDigest"):
        archive.keep(arrive(archive, CONTENT))
    assert place.keys() == ["of/us/nightread-archive"]


def test_bytes_that_change_on_their_way_back_are_never_lent(
    place: S3Place, archive: S3Archive
) -> None:
    archive.keep(arrive(archive, CONTENT))
    place.wire.break_(flip_answer=500_000)
    with pytest.raises(ArchiveError, match="damaged"):
        archive.open_path(DIGEST)
    assert cached(archive) == []


@pytest.mark.parametrize("content", [HEAD + DAMAGED, HEAD + CONTENT[:9], b"", b"no"])
def test_an_object_that_is_damaged_is_an_error_in_words_and_never_lent(
    place: S3Place, archive: S3Archive, content: bytes
) -> None:
    archive.keep(arrive(archive, CONTENT))
    place.overwrite(DIGEST, content)
    with pytest.raises(ArchiveError, match=r"damaged.*send the image again") as found:
        archive.open_path(DIGEST)
    assert not isinstance(found.value, ArchiveAwayError), "it is the fault of this one"
    assert cached(archive) == []


def test_what_was_read_is_read_again_without_the_store(place: S3Place, archive: S3Archive) -> None:
    archive.keep(arrive(archive, CONTENT))
    archive.open_path(DIGEST)
    place.take_away()
    assert archive.open_path(DIGEST).read_bytes() == HEAD + CONTENT


def test_a_copy_that_is_damaged_here_is_brought_again(archive: S3Archive) -> None:
    archive.keep(arrive(archive, CONTENT))
    path = archive.open_path(DIGEST)
    path.write_bytes(HEAD + DAMAGED)
    assert archive.open_path(DIGEST).read_bytes() == HEAD + CONTENT


def test_many_who_read_one_image_at_once_all_get_it(archive: S3Archive) -> None:
    archive.keep(arrive(archive, CONTENT))
    read: list[bytes] = []
    readers = [
        threading.Thread(target=lambda: read.append(archive.open_path(DIGEST).read_bytes()))
        for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(30)
    assert read == [HEAD + CONTENT] * 8
    assert len(cached(archive)) == 1


def test_copies_stay_within_their_room_and_what_was_lent_stays(place: S3Place) -> None:
    archive = opened(place, archive_cache_gigabytes=0.01)
    assert isinstance(archive, S3Archive)
    digests = [archive.keep(arrive(archive, bytes([n]) * 1_000_000)).digest for n in range(15)]
    for number, digest in enumerate(digests):
        path = archive.open_path(digest)
        if number:  # all but the first were used long ago
            os.utime(path, (time.time() - 7200 + number,) * 2)
    left = {path.stem for path in cached(archive)}
    assert sum(path.stat().st_size for path in cached(archive)) <= 11_000_000
    assert digests[0] in left, "who was lent it may be about to open it"
    assert digests[1] not in left, "it was not used for the longest"
    assert digests[-1] in left


def test_what_nobody_asks_for_in_a_day_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**9)
    old = tmp_path / "old.dcm"
    old.write_bytes(b"an image that was removed since")
    os.utime(old, (time.time() - 90000,) * 2)
    cache.lend(DIGEST, lambda path: path.write_bytes(HEAD + CONTENT) and None)
    assert not old.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    require(mounted.returncode == 0, "no file system can be mounted: that takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_without_room_for_a_copy_is_named_and_nobodys_fault(
    place: S3Place, archive: S3Archive, small_disk: Path
) -> None:
    archive.keep(arrive(archive, CONTENT))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(2_500_000))
    here = opened(place, data_dir=small_disk)
    with pytest.raises(OutOfSpaceError, match="make room"):
        here.open_path(DIGEST)
    filler.unlink()
    assert here.open_path(DIGEST).read_bytes() == HEAD + CONTENT


def test_a_disk_without_room_makes_some_of_its_own_copies(
    place: S3Place, archive: S3Archive, small_disk: Path
) -> None:
    here = opened(place, data_dir=small_disk)
    assert isinstance(here, S3Archive)
    refused = 0
    for n in range(4):
        digest = archive.keep(arrive(archive, bytes([n]) * 1_000_000)).digest
        try:
            path = here.open_path(digest)
        except OutOfSpaceError:
            refused += 1
            path = here.open_path(digest)  # who asks again finds room
        os.utime(path, (time.time() - 7200 + n,) * 2)
    assert refused == 1, "the disk was full once"


def test_a_bucket_that_is_not_there_is_named(place: S3Place) -> None:
    settings = place.settings.model_copy(update={"archive_url": "s3://no-such-bucket"})
    archive = open_archive(settings)
    with pytest.raises(ArchiveAwayError, match="nightread archive create"):
        archive.require_there()
    for ask in (archive.create, lambda: archive.keep(arrive(archive))):
        with pytest.raises(ArchiveAwayError, match="no bucket no-such-bucket"):
            ask()


def test_keys_that_are_not_known_or_not_there_are_named(place: S3Place, tmp_path: Path) -> None:
    strange = write_credentials(tmp_path / "strange", key="stranger")
    for file in (strange, tmp_path / "none"):
        archive = open_archive(place.settings.model_copy(update={"archive_credentials_file": file}))
        with pytest.raises(ArchiveAwayError, match="NIGHTREAD_ARCHIVE_CREDENTIALS_FILE"):
            archive.require_there()
        with pytest.raises(ArchiveAwayError, match="NIGHTREAD_ARCHIVE_CREDENTIALS_FILE"):
            archive.keep(arrive(archive))


def test_the_file_wins_over_keys_of_the_environment(
    place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    opened(place)


def test_the_usual_places_are_used_without_a_file(
    place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.settings.archive_credentials_file
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    opened(place, archive_credentials_file=None)


def test_a_list_is_read_to_its_last_page(place: S3Place, archive: S3Archive) -> None:
    kept = {archive.keep(arrive(archive, bytes([n]))).digest for n in range(5)}
    place.client.put_object(Bucket=place.bucket, Key="of/us/instances/aa/other.txt", Body=b"")
    bucket = Bucket(
        S3Address(place.bucket, "of/us"),
        place.wire.url,
        "us-east-1",
        place.settings.archive_credentials_file,
        page_objects=2,
    )
    pages = [[file.digest for file in page] for page in _listing(bucket, place.settings)]
    assert len(pages) == 3
    assert {digest for page in pages for digest in page} == kept, "and what is not ours is left"


def _listing(bucket: Bucket, settings: Settings) -> list[list[object]]:
    archive = S3Archive(bucket, settings.archive_dir, cache_bytes=0)
    return [list(page) for page in archive.kept_files(0)]


def test_a_fork_asks_by_itself(archive: S3Archive, place: S3Place) -> None:
    """Listener and worker fork, and a thread does not live on in a fork."""
    archive.keep(arrive(archive, CONTENT))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            found = open_archive(place.settings)
            found.keep(arrive(found, b"of the child"))
            code = found.open_path(DIGEST).read_bytes() != HEAD + CONTENT
        finally:
            os._exit(int(code))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert archive.open_path(DIGEST).exists()


def test_nothing_of_a_patient_is_in_a_key(place: S3Place, archive: S3Archive) -> None:
    archive.keep(arrive(archive, CONTENT))
    assert sorted(place.keys()) == [
        "of/us/instances/" + place_of(DIGEST)[10:],
        "of/us/nightread-archive",
    ]
