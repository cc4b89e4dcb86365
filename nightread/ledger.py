"""``nightread ledger``: that nothing was lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nightread.since import parse_since

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.records.entries import Entry


def ledger(
    since: Annotated[
        str, typer.Option(help="What came since 24h, 7d, 2026-11-20, 2026-11-20T18:00.")
    ] = "",
    instances: Annotated[
        bool, typer.Option("--instances", help="Write CSV with a line for each image instead.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON; with --instances, an object per line.")
    ] = False,
) -> None:
    """Count what came and what became of it, and check it.

    The exit code is 1 if the counts do not add up. Whether the night is complete, that is whether
    nothing waits, is said and does not change it.
    """
    from nightread.database import opened
    from screening.settings_source import load_settings

    moment = parse_since(since) if since else None
    with opened(load_settings()) as records:
        if instances:
            _write_instances(records, moment, as_json)
        else:
            _show(records, moment, as_json)


def _show(records: Records, since: dt.datetime | None, as_json: bool) -> None:
    from nightread.terminal import print_result, write_json
    from screening.records.ledger import read_ledger
    from worklist.ledger_sheet import ledger_sheet
    from worklist.objects import ledger_object

    with records.read() as session:
        found = read_ledger(session, dt.datetime.now(dt.UTC), since)
    if as_json:
        write_json(ledger_object(found))
    else:
        print_result(ledger_sheet(found))
    if not found.adds_up:
        raise typer.Exit(1)


def _write_instances(records: Records, since: dt.datetime | None, as_json: bool) -> None:
    from nightread.terminal import write
    from screening.records.entries import read_entries
    from worklist.entry_lines import entry_csv, entry_json

    with records.read() as session:
        entries: Iterator[Entry] = read_entries(session, since)
        for line in entry_json(entries) if as_json else entry_csv(entries):
            write(line)
