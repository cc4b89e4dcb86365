"""``nightread cases``: the list of flagged cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nightread.since import parse_since
from screening.domain.verdict import FLAGGED, Verdict

if TYPE_CHECKING:
    from screening.records.cases import Case
    from screening.records.tally import Tally


def cases(
    everything: Annotated[bool, typer.Option("--all", help="Every study.")] = False,
    since: Annotated[
        str, typer.Option(help="Studies that grew since 24h, 7d, 2026-11-20, 2026-11-20T18:00.")
    ] = "",
    verdict: Annotated[
        list[Verdict] | None, typer.Option(help="Studies of this verdict; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
) -> None:
    """List the flagged cases, most urgent first."""
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    if everything and verdict:
        raise typer.BadParameter("give --all or --verdict, not both")
    from nightread.database import opened
    from screening.records.case_filter import CaseFilter
    from screening.records.cases import list_cases
    from screening.records.tally import tally
    from screening.settings_source import load_settings

    moment = parse_since(since) if since else None
    wanted = frozenset(Verdict if everything else verdict or FLAGGED)
    with opened(load_settings()) as records, records.read() as session:
        found = list_cases(session, CaseFilter(wanted, since=moment), limit=limit or None)
        counts = tally(session)
    if as_json or as_csv:
        _write(found, as_json)
    else:
        show(found, counts)
        if limit and len(found) == limit:
            typer.echo(f"The first {limit}; see all with --limit 0.", err=True)


def show(found: Sequence[Case], counts: Tally) -> None:
    """Print the table of cases, with the counts of all images above it."""
    from nightread.terminal import print_result, results
    from worklist.table import case_table, tally_line

    print_result(tally_line(counts))
    if found:
        print_result("", case_table(found, results().width))
    else:
        # With --all there are none where nothing was received, which the counts have said.
        more = (
            "Every study is in: nightread cases --all" if counts.received else "Nothing came yet."
        )
        print_result(f"No such cases. {more}")


def _write(found: Sequence[Case], as_json: bool) -> None:
    from nightread.terminal import write, write_json
    from worklist.objects import case_object
    from worklist.spreadsheet import spreadsheet

    if as_json:
        write_json([case_object(case) for case in found])
    else:
        write(spreadsheet(found))
