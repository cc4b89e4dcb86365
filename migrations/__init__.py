"""The schema's history: Alembic migrations, a package so that they travel in the wheel."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

from screening.records.engine import Records


def upgrade(records: Records) -> None:
    """Bring a database to the newest schema; one that is there already is left alone.

    Two processes may do so at once: the second waits for the first and finds nothing to do.

    Raises
    ------
    RecordsError
        If the database refuses, or its schema is newer than this release.
    """
    with records.exclusive() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def configuration() -> Config:
    """Return Alembic's configuration, made in code: there is no ini file to find."""
    config = Config()
    config.set_main_option("script_location", "migrations:")
    return config
