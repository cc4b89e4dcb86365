"""``nightread version``."""

from __future__ import annotations

import typer


def version() -> None:
    """Print the version of Nightread."""
    found = installed_version()
    typer.echo(
        f"nightread {found}" if found else "nightread, from its source folder and not installed"
    )


def installed_version() -> str:
    """Return which release is installed, empty where none is."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("nightread")
    except PackageNotFoundError:
        return ""
