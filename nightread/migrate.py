"""``nightread migrate``: brings the database to this release's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.settings import Settings


def migrate() -> None:
    """Bring the database to this release's schema."""
    from screening.settings_source import load_settings

    before, after = migrate_records(load_settings())
    if before == after:
        typer.echo(f"the database is at schema {after}: nothing to do")
    else:
        typer.echo(f"the database went from schema {before or 'none'} to {after}")


def migrate_records(settings: Settings) -> tuple[str | None, str | None]:
    """Migrate, and return the schema's revision before and after.

    Raises
    ------
    NightreadError
        If the data folder cannot be made, or the database refuses.
    """
    from migrations import upgrade
    from nightread.data_folder import make_data_folder
    from screening.records.engine import Records

    make_data_folder(settings.data_dir)
    records = Records(settings.records_url)
    try:
        before = _revision(records)
        upgrade(records)
        return before, _revision(records)
    finally:
        records.close()


def _revision(records: Records) -> str | None:
    from alembic.runtime.migration import MigrationContext

    with records.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()
