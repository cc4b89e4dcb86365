"""``nightread doctor``: is everything there, and if not, what to do."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Check everything that the processes need."""
    from nightread.checkup import examine
    from nightread.finding import Level
    from nightread.terminal import print_result, write_json
    from screening.settings import load_settings

    findings = []
    for finding in examine(load_settings()):
        findings.append(finding)
        if not as_json:
            print_result(finding.line())
    if as_json:
        write_json([finding.as_dict() for finding in findings])
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)
