"""Where an archive may lie, and what may happen to it there: for tests that hold for each."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from faulty_wire import FaultyWire
from s3_server import S3Server, write_credentials

from screening.archive.archive import MARKER, Archive, place_of
from screening.archive.incoming_file import IncomingFile
from screening.archive.opening import open_archive
from screening.dicom.part10 import part10_head
from screening.settings import Settings

SYNTAX = "1.2.840.10008.1.2.1"
HEAD = part10_head("1.2.840.10008.5.1.4.1.1.1.1", "1.2.3", SYNTAX, "PACS")

_NUMBERS = itertools.count(1)


class FolderPlace:
    """A folder: of one host, or on a share."""

    def __init__(self, settings: Settings, folder: Path, *, shared: bool) -> None:
        if shared:
            folder.mkdir()
            settings = settings.model_copy(update={"archive_url": f"file://{folder}"})
        self.settings = settings
        self.folder = folder if shared else settings.archive_dir

    def take_away(self) -> None:
        """Leave an empty folder, as an unmounted share does; of one host's disk, none."""
        self.folder.rename(self.folder.with_name("away"))
        if self.settings.archive_url:
            self.folder.mkdir()

    def bring_back(self) -> None:
        if self.folder.exists():
            assert list(self.folder.iterdir()) == [], "nothing was made where the share was"
            self.folder.rmdir()
        self.folder.with_name("away").rename(self.folder)

    def overwrite(self, digest: str, content: bytes) -> None:
        (self.folder / place_of(digest)).write_bytes(content)

    def content(self, digest: str) -> bytes:
        return (self.folder / place_of(digest)).read_bytes()

    def lose_marker(self) -> None:
        (self.folder / MARKER).unlink()


class S3Place:
    """A bucket of its own, behind a wire that may fail."""

    def __init__(
        self, settings: Settings, server: S3Server, wire: FaultyWire, folder: Path
    ) -> None:
        self.bucket = f"archive-{next(_NUMBERS)}"
        self.wire = wire
        self.client: Any = server.client
        self.client.create_bucket(Bucket=self.bucket)
        folder.mkdir(exist_ok=True)
        self.settings = settings.model_copy(
            update={
                "archive_url": f"s3://{self.bucket}/of/us",
                "archive_endpoint": wire.url,
                "archive_region": "us-east-1",
                "archive_credentials_file": write_credentials(folder / "credentials"),
                "archive_seconds": 20.0,
            }
        )

    def take_away(self) -> None:
        self.wire.break_(cut_request=0)

    def bring_back(self) -> None:
        self.wire.mend()

    def overwrite(self, digest: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"of/us/{place_of(digest)}", Body=content)

    def content(self, digest: str) -> bytes:
        found = self.client.get_object(Bucket=self.bucket, Key=f"of/us/{place_of(digest)}")
        return bytes(found["Body"].read())

    def keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket)
        return [each["Key"] for each in found.get("Contents", ())]

    def empty(self) -> None:
        """Forget all but that the archive was made."""
        for key in self.keys():
            if not key.endswith(MARKER):
                self.client.delete_object(Bucket=self.bucket, Key=key)

    def lose_marker(self) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"of/us/{MARKER}")


Place = FolderPlace | S3Place


def opened(place: Place, **choices: object) -> Archive:
    """Return the archive of a place, made where nobody has."""
    archive = open_archive(place.settings.model_copy(update=choices))
    if place.settings.archive_url:
        archive.create()
    archive.require_there()
    return archive


def arrive(archive: Archive, content: bytes = b"content") -> IncomingFile:
    file = archive.receive(HEAD, SYNTAX)
    file.write(memoryview(content))
    return file
