"""``nightread migrate``: brings the database to this release's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from migrations import Say
    from screening.settings import Settings


def migrate() -> None:
    """Bring the database to this release's schema.

    It is safe while the release before runs (docs/upgrading.md). A database that a newer release
    has migrated is left as it is.
    """
    from nightread.terminal import remark
    from screening.settings_source import load_settings

    before, after = migrate_records(load_settings(), remark)
    if before == after:
        typer.echo(f"the database is at schema {after}: nothing to do")
    else:
        typer.echo(f"the database went from schema {before or 'none'} to {after}")


def migrate_records(settings: Settings, say: Say = lambda _: None) -> tuple[str | None, str | None]:
    """Migrate, and return the schema's revision before and after.

    Parameters
    ----------
    say
        Takes what is waited for, as a sentence for the operator.

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
        before = records.schema().newest
        upgrade(records, say)
        records.check_schema()
        return before, records.schema().newest
    finally:
        records.close()
