"""Where an installation keeps what it has: its folder, its database, its Redis."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from screening.settings.values import CONFIG, PREFIX
from screening.web_address import require_port, with_password

# A unix socket's path holds at most 107 bytes on Linux (sockaddr_un, unix(7)).
_SOCKET_PATH_LIMIT = 107


def _require_place(of: str, url: str, kinds: tuple[str, ...]) -> None:
    """Check that a server's address has room for the password that is set for it."""
    password, place = f"{PREFIX}{of}_PASSWORD", f"{PREFIX}{of}_URL"
    if not url.startswith(kinds):
        raise ValueError(f"{password} is set, and {place} names no server that it is for")
    if urlsplit(url).password:
        raise ValueError(f"{password} is set, and {place} holds a password too: take one out")


class PlaceSettings(BaseSettings):
    """Folder, database and Redis."""

    model_config = CONFIG

    data_dir: Path = Field(default=Path("nightread-data"))
    """Folder of the archive, the embedded database and the embedded Redis. Made where missing,
    readable by its owner alone. The default stands in the working folder so that a first try
    touches nothing else."""

    database_url: str = ""
    """SQLAlchemy URL. Empty: SQLite in the data folder, enough for one machine;
    ``postgresql://user@host/database`` where several machines share the work."""

    database_password: SecretStr = SecretStr("")
    """Password of the user in ``NIGHTREAD_DATABASE_URL``, where that holds none. Better in a file
    (``NIGHTREAD_SECRETS_DIR``) than in a variable."""

    redis_url: str = ""
    """Redis URL. Empty: a private Redis on a unix socket, started by ``nightread up``."""

    redis_password: SecretStr = SecretStr("")
    """Password for ``NIGHTREAD_REDIS_URL``, where that holds none. Better in a file as well."""

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            value = value.replace("postgresql://", "postgresql+psycopg://", 1)
        if "?" in value and value.startswith("sqlite:"):
            raise ValueError("the URL of a SQLite file takes no options")
        require_port(value)
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(
                "sqlite:////absolute/path.sqlite or postgresql://user@host/database is needed"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ValueError("redis://, rediss:// or redis+socket:// is needed")
        require_port(value)
        return value

    @model_validator(mode="after")
    def _passwords_have_a_place(self) -> Self:
        if self.database_password:
            _require_place("DATABASE", self.database_url, ("postgresql",))
            if not urlsplit(self.database_url).username:
                raise ValueError(
                    "NIGHTREAD_DATABASE_PASSWORD is set, and NIGHTREAD_DATABASE_URL names no user "
                    "that it is of: postgresql://user@host/database"
                )
        if self.redis_password:
            _require_place("REDIS", self.redis_url, ("redis://", "rediss://"))
        return self

    @property
    def export_key(self) -> Path:
        """File of the key by which exported cases get their pseudonyms."""
        return self.data_dir / "export.key"

    @property
    def outgoing_dir(self) -> Path:
        """Folder of what is on its way to a PACS."""
        return self.data_dir / "outgoing"

    @property
    def records_url(self) -> str:
        """SQLAlchemy URL of the records, with the embedded default or the password filled in."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'nightread.sqlite'}"
        return with_password(self.database_url, self.database_password.get_secret_value())

    @property
    def embedded_redis_socket(self) -> Path:
        """Unix socket of the private Redis.

        It stands in the temporary folder where the data folder's path is too long for a socket.
        """
        socket = self.data_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
            return socket
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"nightread-{os.getuid()}-{name}" / "redis.sock"

    @property
    def broker_url(self) -> str:
        """URL of the Redis for messages, with the embedded default or the password filled in."""
        if not self.redis_url:
            return f"redis+socket://{self.embedded_redis_socket}"
        return with_password(self.redis_url, self.redis_password.get_secret_value())
