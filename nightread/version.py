"""``nightread version``."""

from __future__ import annotations

import typer


def version() -> None:
    """Print the version of Nightread."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        typer.echo(f"nightread {installed('nightread')}")
    except PackageNotFoundError:
        typer.echo("nightread, from its source folder and not installed")
