"""An archive in a bucket of S3: what arrives is put there before it counts as kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from screening.archive.archive import MARKER, MARKER_TEXT, Archive, missing, place_of
from screening.archive.bucket import Bucket
from screening.archive.cache import Cache
from screening.archive.incoming_file import IncomingFile, refusal
from screening.archive.incoming_folder import IncomingFolder
from screening.domain.kept_file import KeptFile
from screening.errors import ArchiveAwayError


class S3Archive(Archive):
    """A bucket that keeps instances by the digest of their content.

    Parameters
    ----------
    bucket
        Where they are kept.
    folder
        Of this host alone: what is arriving, and copies of what was read. Made where missing.
    minimum_free_bytes
        Free space below which nothing new is received.
    cache_bytes
        That the copies may take.

    Raises
    ------
    ArchiveError
        If the folder cannot be made.
    """

    is_store = True

    def __init__(
        self, bucket: Bucket, folder: Path, *, minimum_free_bytes: int = 0, cache_bytes: int
    ) -> None:
        super().__init__(IncomingFolder(folder / "incoming", minimum_free_bytes))
        self._bucket = bucket
        self._cache = Cache(folder / "cache", cache_bytes)
        try:
            self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(error, folder) from error

    def create(self) -> bool:
        """Make an archive where none is, and say whether that was needed.

        Raises
        ------
        ArchiveError
            If the bucket is not there, or refuses.
        """
        if self._bucket.size(MARKER) is not None:
            return False
        self._bucket.put_text(MARKER, MARKER_TEXT)
        return True

    def require_there(self) -> None:
        """Look for the marker, which costs one request."""
        if self._bucket.size(MARKER) is None:
            address = self._bucket.address
            raise ArchiveAwayError(
                f"there is no archive at {address}: is NIGHTREAD_ARCHIVE_URL right, and the bucket "
                "there? Images wait. A new archive is made by nightread archive create"
            )

    def keep(self, file: IncomingFile) -> KeptFile:
        """Put the file into the bucket; when the store has answered 200, it is kept."""
        digest = file.digest
        try:
            file.require_whole()
            size = file.path.stat().st_size
            self._bucket.put(place_of(digest), file.path)
        except OSError as error:
            raise refusal(error, file.path) from error
        finally:
            file.discard()
        return KeptFile(digest, size)

    def put(self, digest: str, path: Path) -> None:
        """Put a file into the bucket."""
        self._bucket.put(place_of(digest), path)

    def open_path(self, digest: str) -> Path:
        """Return the path of a copy on this host, which stays for at least ten minutes."""
        return self._cache.lend(digest, partial(self._fetch, digest))

    def taken_out(self, digest: str) -> AbstractContextManager[Path]:
        """Lend a copy that is fetched for this once."""
        return self._cache.borrow(digest, partial(self._fetch, digest))

    def _fetch(self, digest: str, path: Path) -> None:
        if not self._bucket.fetch(place_of(digest), path):
            self.require_there()
            raise missing(digest)

    def size(self, digest: str) -> int | None:
        """Ask the store."""
        found = self._bucket.size(place_of(digest))
        if found is None:
            self.require_there()
        return found

    def remove(self, digest: str) -> None:
        """Remove the object, and the copy that this host has of it.

        Other hosts' copies go when nobody has asked for them in a day; a bucket that keeps versions
        keeps this one until its own rules remove it.
        """
        self.require_there()
        self._bucket.remove(place_of(digest))
        self._cache.forget(digest)

    def kept_files(self, older_than_seconds: float) -> Iterator[list[KeptFile]]:
        """Yield them a thousand at a time, as the store lists them."""
        self.require_there()
        limit = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=older_than_seconds)
        for page in self._bucket.pages("instances"):
            named = [(Path(found.key).stem, found) for found in page if found.modified <= limit]
            yield [
                KeptFile(digest, found.size_bytes)
                for digest, found in named
                if found.key == self._bucket.address.key(place_of(digest))
            ]
