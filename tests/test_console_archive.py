"""An archive of several hosts as its administrator meets it: settings, commands, the doctor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_places import S3Place, arrive, opened
from conftest import require
from console import nightread
from faulty_wire import FaultyWire, http_error
from pydantic import ValidationError
from s3_server import S3Server
from test_listener_store import Door, a_door, radiograph

from nightread.check_archive import check_archive
from nightread.finding import Finding, Level
from screening.archive.opening import open_archive
from screening.domain.s3_address import S3Address
from screening.errors import ArchiveAwayError
from screening.settings import Settings


@pytest.fixture
def place(settings: Settings, s3_server: S3Server, wire: FaultyWire, tmp_path: Path) -> S3Place:
    return S3Place(settings, s3_server, wire, tmp_path)


def looked_at(place: S3Place, **choices: object) -> Finding:
    (finding,) = check_archive(place.settings.model_copy(update=choices))
    return finding


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3://b", "s3://Bucket", "s3://key:secret@bucket", "s3://bucket/a//b",
     "s3://bucket/../b", "s3://bucket/a b", "file://share/archive", "/mnt/archive",
     "https://s3.example.org/bucket"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"is needed|may have letters"):
        Settings(archive_url=url)


@pytest.mark.parametrize("endpoint", ["http://s3.example.org", "s3.example.org", "https://a:b@c"])
def test_keys_go_over_no_open_wire(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        Settings(archive_endpoint=endpoint)


def test_an_address_is_read_as_it_is_written() -> None:
    assert S3Address.read("s3://bucket") == S3Address("bucket")
    assert S3Address.read("s3://bucket/of/us/") == S3Address("bucket", "of/us")
    assert str(S3Address.read("s3://bucket/of/us")) == "s3://bucket/of/us"
    assert (S3Address("b").key("x"), S3Address("b", "p").key("x")) == ("x", "p/x")
    assert Settings(archive_url="file:///mnt/an%20archive").archive_dir == Path("/mnt/an archive")


def test_the_doctor_tries_the_archive_out_and_leaves_nothing(place: S3Place) -> None:
    opened(place)
    finding = looked_at(place)
    assert (finding.level, "kept a file" in finding.detail) == (Level.OK, True), finding
    assert place.keys() == ["of/us/nightread-archive"]


def test_the_doctor_has_nothing_to_say_of_a_folder_of_our_own(settings: Settings) -> None:
    assert list(check_archive(settings)) == []


def test_the_doctor_names_what_is_wrong_and_what_to_do(place: S3Place) -> None:
    assert "nightread archive create" in looked_at(place).detail, "nobody has made it"
    opened(place)
    place.wire.break_(answer=http_error("403 Forbidden", "AccessDenied"))
    refused = looked_at(place)
    assert (refused.level, "credentials" in refused.detail) == (Level.FAIL, True)
    place.take_away()
    assert "NIGHTREAD_ARCHIVE_ENDPOINT" in looked_at(place).detail


def test_an_archive_is_made_once_and_by_that_command_alone(tmp_path: Path) -> None:
    share = tmp_path / "share"
    url = f"file://{share}"
    chosen = {"data_dir": tmp_path / "data"}
    assert nightread("archive", "create", cwd=tmp_path, **chosen).returncode == 2
    absent = nightread("archive", "create", cwd=tmp_path, archive_url=url, **chosen)
    assert (absent.returncode, "mount the share" in absent.stderr) == (1, True)
    share.mkdir()
    unmade = nightread("listen", cwd=tmp_path, archive_url=url, **chosen)
    assert unmade.returncode == 1
    assert list(share.iterdir()) == [], "nothing is made on a share that may not be mounted"
    for said in ("made", "there already"):
        made = nightread("archive", "create", cwd=tmp_path, archive_url=url, **chosen)
        assert (made.returncode, said in made.stderr) == (0, True)


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with a_door(settings) as made:
        yield made


def test_an_installation_moves_to_s3_and_is_verified_and_backed_up_there(
    door: Door, place: S3Place, tmp_path: Path
) -> None:
    assert door.send(radiograph("1.2.3"), radiograph("1.2.4", PatientID="P2")) == [0, 0]
    opened(place)
    chosen = place.settings.model_dump(exclude_defaults=True, include=_TOLD)
    old = door.settings.archive_dir
    for copied in (2, 0):
        filled = nightread("archive", "fill", old, cwd=tmp_path, **chosen)
        assert f"{copied} of 2 files copied" in filled.stderr, filled.stderr
    verified = nightread("verify", "--digests", "--json", cwd=tmp_path, **chosen)
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["files"] == 2
    backed_up = nightread("backup", tmp_path / "backup", cwd=tmp_path, **chosen)
    assert "2 new files" in backed_up.stderr, backed_up.stderr
    (digest, *_) = sorted(path.stem for path in old.rglob("*.dcm"))
    place.overwrite(digest, b"no image")
    damaged = nightread("verify", "--digests", "--json", cwd=tmp_path, **chosen)
    assert damaged.returncode == 1
    (trouble,) = json.loads(damaged.stdout)["troubles"]
    assert (trouble["file"], "damaged" in trouble["why"]) == (digest, True)


_TOLD = {
    "data_dir",
    "archive_url",
    "archive_endpoint",
    "archive_region",
    "archive_credentials_file",
}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A share that can be unmounted, as a bind mount."""
    behind, share = tmp_path / "behind", tmp_path / "share"
    behind.mkdir()
    share.mkdir()
    ran = subprocess.run(["mount", "--bind", behind, share], capture_output=True, check=False)
    require(ran.returncode == 0, "no file system can be mounted: that takes root")
    yield share
    subprocess.run(["umount", "--lazy", share], capture_output=True, check=False)


def test_an_archive_is_filled_from_a_backup_that_is_mounted_read_only(
    mounted: Path, tmp_path: Path
) -> None:
    (mounted / "instances" / "ab").mkdir(parents=True)
    (mounted / "instances" / "ab" / f"{'ab' * 32}.dcm").write_bytes(b"an image")
    subprocess.run(["mount", "-o", "remount,bind,ro", mounted], check=True)
    filled = nightread("archive", "fill", mounted, cwd=tmp_path, data_dir=tmp_path / "data")
    assert "1 of 1 files copied" in filled.stderr, filled.stderr


def test_a_share_that_is_unmounted_is_away_and_no_new_archive(
    settings: Settings, mounted: Path
) -> None:
    settings = settings.model_copy(update={"archive_url": f"file://{mounted}"})
    archive = open_archive(settings)
    archive.create()
    archive.require_there()
    digest = archive.keep(arrive(archive)).digest
    subprocess.run(["umount", mounted], check=True)
    for look in (archive, open_archive(settings)):
        with pytest.raises(ArchiveAwayError, match="mounted"):
            look.open_path(digest)
        with pytest.raises(ArchiveAwayError, match="mounted"):
            look.require_there()
    assert list(mounted.iterdir()) == [], "the local disk below the mount point stays empty"
    subprocess.run(["mount", "--bind", mounted.with_name("behind"), mounted], check=True)
    assert archive.open_path(digest).is_file()
