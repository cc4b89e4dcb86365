"""A bucket of S3, or of a store that speaks its language: bounded requests, errors in words.

A request that fails is not repeated here: who asks waits and asks again, a sender or a worker.
"""

from __future__ import annotations

import base64
import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.archive.bucket_errors import explained, is_missing
from screening.archive.incoming_file import refusal
from screening.domain.s3_address import S3Address
from screening.errors import DependencyError

if TYPE_CHECKING:
    import datetime as dt

    from s3fs import S3FileSystem

# A store that does not answer is told from a slow one: what it answers may still take long.
_CONNECT_SECONDS = 5.0

# The library reads its tables first, and asks this host for its credentials.
_START_SECONDS = 60.0

# What this host's disk says, and no connection does.
_OF_THE_DISK = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a bucket says of an object in a listing."""

    key: str
    size_bytes: int
    modified: dt.datetime


@dataclass(frozen=True)
class Bucket:
    """Requests to one bucket. Nothing is asked before the first of them.

    Attributes
    ----------
    address
        Bucket and prefix.
    endpoint, region
        Where it is; empty for what AWS's own files and variables say.
    credentials_file
        In the form of AWS's shared credentials; ``None`` for the usual places.
    seconds
        How long a request may take in all.
    page_objects
        That are listed at once; S3 lists a thousand at the most.
    """

    address: S3Address
    endpoint: str = ""
    region: str = ""
    credentials_file: Path | None = field(default=None, repr=False)
    seconds: float = 30.0
    page_objects: int = 1000

    @cached_property
    def _files(self) -> S3FileSystem:
        # Made by the process that asks: its thread does not live on in a fork.
        try:
            from aiobotocore.session import AioSession
            from s3fs import S3FileSystem
        except ModuleNotFoundError as error:
            raise DependencyError(
                f"NIGHTREAD_ARCHIVE_URL is {self.address}, and the library {error.name} is not "
                "installed: pip install 'nightread[s3]'"
            ) from None
        # With a profile named, AWS's variables do not win over the file.
        session = AioSession(profile="default" if self.credentials_file else None)
        if self.credentials_file:
            session.set_config_variable("credentials_file", str(self.credentials_file))
        files = S3FileSystem(
            session=session,
            endpoint_url=self.endpoint or None,
            client_kwargs={"region_name": self.region} if self.region else {},
            config_kwargs={
                "connect_timeout": min(_CONNECT_SECONDS, self.seconds),
                "read_timeout": self.seconds,
                # A listener serves so many associations at once.
                "max_pool_connections": 32,
                "retries": {"total_max_attempts": 1},
                # We send Content-MD5, which every store knows, and compare our own digest.
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        files.retries = 1
        try:
            files.connect(timeout=_START_SECONDS)
        except Exception as error:
            raise explained(error, self.address) from error
        return files

    def put(self, name: str, path: Path) -> None:
        """Store a file under a name, whole or not at all.

        It is one request, so that the answer is about all of it: S3 refuses a body that is not the
        one of its Content-MD5 (BadDigest), and adds no object in part.

        Raises
        ------
        OutOfSpaceError
            If the store is full.
        ArchiveError
            If it does not take it.
        """
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _md5)
                file.seek(0)
                self._put(name, file, digest.digest())
        except OSError as error:
            raise refusal(error, path) from error

    def put_text(self, name: str, content: bytes) -> None:
        """Store a few bytes under a name.

        Raises
        ------
        ArchiveError
            If the store does not take them.
        """
        self._put(name, content, _md5(content).digest())

    def _put(self, name: str, body: object, digest: bytes) -> None:
        self._ask(
            "put_object",
            Key=self.address.key(name),
            Body=body,
            ContentMD5=base64.b64encode(digest).decode(),
        )

    def fetch(self, name: str, path: Path) -> bool:
        """Bring an object to a file, and say whether it was there.

        Raises
        ------
        OutOfSpaceError
            If this host's disk is full.
        ArchiveError
            If it cannot be brought.
        """
        files = self._files
        source = f"{self.address.bucket}/{self.address.key(name)}"
        try:
            files.get_file(source, str(path), timeout=self.seconds, max_concurrency=1)
        except OSError as error:
            if error.errno in _OF_THE_DISK and error.__cause__ is None:
                raise refusal(error, path) from error
            if is_missing(error):
                return False
            raise explained(error, self.address) from error
        except Exception as error:
            # The library has no common class for what it and what is below it raise.
            raise explained(error, self.address) from error
        return True

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes; ``None`` if it, or the bucket, is not there.

        Raises
        ------
        ArchiveError
            If the store does not say.
        """
        found = self._ask("head_object", Key=self.address.key(name), may_be_missing=True)
        return None if found is None else int(found["ContentLength"])

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is as good as removed.

        Raises
        ------
        ArchiveError
            If the store refuses.
        """
        self._ask("delete_object", Key=self.address.key(name))

    def pages(self, folder: str) -> Iterator[list[StoredObject]]:
        """Yield the objects below a folder, page by page.

        Raises
        ------
        ArchiveError
            If the store does not list them.
        """
        more: dict[str, Any] = {}
        while True:
            found = self._ask(
                "list_objects_v2",
                Prefix=self.address.key(folder) + "/",
                MaxKeys=self.page_objects,
                **more,
            )
            assert found is not None
            yield [
                StoredObject(each["Key"], int(each["Size"]), each["LastModified"])
                for each in found.get("Contents", ())
            ]
            if not found.get("IsTruncated"):
                return
            more = {"ContinuationToken": found["NextContinuationToken"]}

    def _ask(
        self,
        method: str,
        *,
        may_be_missing: bool = False,
        **parameters: Any,  # noqa: ANN401 - S3's own
    ) -> dict[str, Any] | None:
        files = self._files
        try:
            answer: dict[str, Any] = files.call_s3(
                method, Bucket=self.address.bucket, timeout=self.seconds, **parameters
            )
        except Exception as error:
            # The library has no common class for what it and what is below it raise.
            if may_be_missing and is_missing(error):
                return None
            raise explained(error, self.address) from error
        return answer


def _md5(content: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(content, usedforsecurity=False)
