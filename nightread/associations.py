"""``nightread associations``: who called, what came of it, and why not."""

from __future__ import annotations

from typing import Annotated

import typer

from nightread.since import parse_since


def associations(
    since: Annotated[
        str, typer.Option(help="Open since 24h, 7d, 2026-11-20, 2026-11-20T18:00.")
    ] = "",
    refused: Annotated[
        bool,
        typer.Option("--refused", help="Rejected, aborted or lost, or with an image refused."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
) -> None:
    """List who called, newest first, and why not."""
    import datetime as dt

    from nightread.database import opened
    from nightread.terminal import print_result, results, write_json
    from screening.records.calls import list_calls
    from screening.settings_source import load_settings
    from worklist.call_list import call_list
    from worklist.objects import call_object

    moment = parse_since(since) if since else None
    with opened(load_settings()) as records, records.read() as session:
        found = list_calls(session, since=moment, refused=refused, limit=limit or None)
    if as_json:
        write_json([call_object(call) for call in found])
        return
    if not found:
        print_result("No such associations.")
        return
    print_result(call_list(found, dt.datetime.now(dt.UTC), results().width))
    if limit and len(found) == limit:
        typer.echo(f"The newest {limit}; see all with --limit 0.", err=True)
