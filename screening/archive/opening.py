"""The archive of an installation, by its settings: nobody else knows which kind it is."""

from __future__ import annotations

import re
import socket

from screening.archive.bucket import Bucket
from screening.archive.folder_archive import FolderArchive
from screening.archive.s3_archive import S3Archive
from screening.domain.s3_address import S3Address
from screening.settings import Settings


def open_archive(settings: Settings) -> FolderArchive | S3Archive:
    """Return the archive; one with an address of its own is not looked for yet.

    Raises
    ------
    ArchiveError
        If a folder of this host cannot be made or written.
    """
    free = settings.minimum_free_bytes
    if not settings.archive_url:
        return FolderArchive(settings.archive_dir, minimum_free_bytes=free)
    if not settings.archive_url.startswith("s3://"):
        return FolderArchive(settings.archive_dir, minimum_free_bytes=free, host=_host())
    bucket = Bucket(
        S3Address.read(settings.archive_url),
        settings.archive_endpoint,
        settings.archive_region,
        settings.archive_credentials_file,
        settings.archive_seconds,
    )
    cache_bytes = int(settings.archive_cache_gigabytes * 1e9)
    return S3Archive(bucket, settings.archive_dir, minimum_free_bytes=free, cache_bytes=cache_bytes)


def _host() -> str:
    """Return this host's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname()) or "host"
