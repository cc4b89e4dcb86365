"""Where in S3 an archive lies."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Letters that no client and no store writes in another way.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket and a prefix.

    Attributes
    ----------
    bucket
        Its name.
    prefix
        Without slashes at its ends; empty where the bucket is the archive's alone.
    """

    bucket: str
    prefix: str = ""

    @classmethod
    def read(cls, url: str) -> S3Address:
        """Read ``s3://bucket/prefix``.

        Raises
        ------
        ValueError
            If it is something else.
        """
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/")
        if not url.startswith("s3://") or not _BUCKET.fullmatch(bucket):
            raise ValueError("s3://bucket/prefix is needed, with a bucket's name as S3 takes them")
        if prefix and not all(_PART.fullmatch(part) for part in prefix.split("/")):
            raise ValueError("the prefix may have letters, digits, - _ . and / between its parts")
        return cls(bucket, prefix)

    def key(self, name: str) -> str:
        """Return the key of what has this name below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")
