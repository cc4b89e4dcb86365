"""``nightread doctor``: is everything there, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nightread.finding import Finding


def doctor(
    pacs: Annotated[
        tuple[str, int, str] | None,
        typer.Option(
            metavar="HOST PORT AET",
            help="Check a PACS instead: whether it answers us and would take DX and CR images.",
        ),
    ] = None,
    store: Annotated[
        bool,
        typer.Option(
            "--store",
            help="With --pacs: send it a test image, marked as such, that STAYS in the PACS.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Check everything that the processes need.

    With --pacs, check what a PACS answers to our NIGHTREAD_AE_TITLE; without --store it is sent
    nothing. The exit code is 1 if anything fails.
    """
    if store and pacs is None:
        raise typer.BadParameter("--store sends a test image to a PACS: name it with --pacs")
    from nightread.finding import Level
    from nightread.terminal import print_result, write_json

    findings = []
    for finding in _examine(pacs, store):
        findings.append(finding)
        if not as_json:
            print_result(finding.line())
    if as_json:
        write_json([finding.as_dict() for finding in findings])
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


def _examine(pacs: tuple[str, int, str] | None, store: bool) -> Iterator[Finding]:
    from screening.settings_source import load_settings

    settings = load_settings()
    if pacs is None:
        from nightread.checkup import examine

        return examine(settings)
    from nightread.check_pacs import check_pacs
    from pacs.peer import Peer

    host, port, title = pacs
    return check_pacs(Peer(host, port, title, settings.ae_title), store=store)
