"""``nightread settings``: what is set here, and where that comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


def settings(
    changed: Annotated[
        bool, typer.Option("--changed", help="Those alone that are set somewhere.")
    ] = False,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Write the reference of all settings, docs/settings.md."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show what is set, and where that comes from.

    No secret is shown. To compare two machines: nightread settings --changed --json
    """
    from nightread.terminal import print_result, write, write_json
    from screening.settings_reference import reference

    if markdown:
        write(reference())
        return
    found = [each for each in _in_force() if not changed or each["source"] != "default"]
    if as_json:
        write_json(found)
        return
    print_result(_table(found))


def _in_force() -> list[dict[str, str]]:
    from screening.settings_reference import as_text, entries
    from screening.settings_source import find_sources, load_settings

    loaded, sources = load_settings(), find_sources()
    return [
        {
            "name": each.name,
            "value": as_text(getattr(loaded, each.field)),
            "default": each.default,
            "source": sources.of(each.field),
        }
        for each in entries()
    ]


def _table(found: list[dict[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from worklist.plain_text import plain

    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "from"):
        table.add_column(title, overflow="fold", no_wrap=title == "setting")
    for each in found:
        style = "dim" if each["source"] == "default" else ""
        cells = (each["name"], plain(each["value"]), plain(each["source"]))
        table.add_row(*(Text(cell, style) for cell in cells))
    return table
