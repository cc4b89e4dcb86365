"""Where images are kept, how much room there is for them, and for how long."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator

from screening.domain.s3_address import S3Address
from screening.settings.places import PlaceSettings
from screening.settings.values import OptionalPath
from screening.web_address import require_safe


class KeepingSettings(PlaceSettings):
    """Archive, disk and retention."""

    archive_url: str = ""
    """Where the images are kept. Empty: a folder in the data folder. ``file:///mnt/archive``, a
    share that several hosts mount; or ``s3://bucket/prefix``, as docs/archive.md describes them."""

    archive_endpoint: str = ""
    """Address of a store that speaks S3 and is not AWS's, as ``https://s3.hospital:9000``."""

    archive_region: str = ""
    """Region of the bucket. Empty: what AWS's own variables and files say."""

    archive_credentials_file: OptionalPath = None
    """File with ``aws_access_key_id`` and ``aws_secret_access_key`` below ``[default]``. Empty:
    AWS's own variables, files and roles."""

    archive_seconds: float = Field(default=30.0, ge=1, le=600)
    """How long one request to S3 may take in all, an image's bytes included. A sender waits as
    long for its answer."""

    archive_cache_gigabytes: float = Field(default=10.0, ge=0, le=100000)
    """Room for copies of what was read from S3, on each host, in 10^9 bytes: a night's images of
    ten megabytes are read once by the worker and a few times by the desk."""

    minimum_free_gigabytes: float = Field(default=1.0, ge=0, le=1e6)
    """Free space below which images are refused (0xA700) before a byte is kept, in 10^9 bytes."""

    low_free_gigabytes: float = Field(default=0.0, ge=0, le=1e6)
    """Free space below which the disk is said to be low: the worklist and a monitor say so, and
    what retention rules let go may go. In 10^9 bytes. 0: three times the free space below which
    images are refused."""

    retention_file: OptionalPath = None
    """TOML file of the rules by which pixels are removed (docs/keeping.md). Empty: everything is
    kept."""

    @field_validator("archive_url")
    @classmethod
    def _known_archive(cls, value: str) -> str:
        if value.startswith("s3://"):
            S3Address.read(value)
        elif value and not value.startswith("file:///"):
            raise ValueError("file:///absolute/path or s3://bucket/prefix is needed")
        return value

    @field_validator("archive_endpoint")
    @classmethod
    def _safe_endpoint(cls, value: str) -> str:
        return require_safe(value).rstrip("/") if value else value

    @property
    def archive_dir(self) -> Path:
        """Folder of the received bytes; with S3, of what is arriving here and of copies."""
        if self.archive_url.startswith("file://"):
            return Path(unquote(urlsplit(self.archive_url).path))
        return self.data_dir / "archive"

    @property
    def minimum_free_bytes(self) -> int:
        """`minimum_free_gigabytes` in bytes."""
        return int(self.minimum_free_gigabytes * 1e9)

    @property
    def low_free_bytes(self) -> int:
        """`low_free_gigabytes` in bytes, and never below `minimum_free_bytes`."""
        chosen = int(self.low_free_gigabytes * 1e9) or 3 * self.minimum_free_bytes
        return max(chosen, self.minimum_free_bytes)
