"""``nightread drift``: whether studies are read otherwise than they were."""

from __future__ import annotations

from typing import Annotated

import typer

from screening.domain.dimension import Dimension


def drift(
    by: Annotated[Dimension, typer.Option(help="What makes a group.")] = Dimension.SCANNER,
    weeks: Annotated[
        int, typer.Option(min=1, max=104, help="So many, with the one that goes on.")
    ] = 26,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Say which group is read otherwise than in its first weeks.

    Flags, images not scored, scores and reviews of each week, against limits that chance alone
    breaks about once at most. The exit code is 1 if something of this week or the last one lies
    outside its limits. For example: nightread drift --by body-part --weeks 12
    """
    from nightread.administration import now
    from nightread.database import opened
    from nightread.terminal import print_result, results, write_json
    from screening.settings_source import load_settings
    from worklist.drift import read_drift
    from worklist.drift_object import drift_object
    from worklist.drift_table import drift_table

    with opened(load_settings()) as records:
        found = read_drift(records, by, weeks, now().astimezone().date())
    if as_json:
        write_json(drift_object(found))
    else:
        print_result(drift_table(found, results().width))
    if found.recent:
        raise typer.Exit(1)
