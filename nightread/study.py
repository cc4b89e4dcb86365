"""``nightread study``: all that is known of one study."""

from __future__ import annotations

from typing import Annotated

import typer


def study(
    uid: Annotated[str, typer.Argument(help="Study Instance UID, from nightread cases --json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show one study: images, scores, reasons, revisions."""
    from nightread.database import opened
    from nightread.terminal import print_result, write_json
    from screening.errors import RecordsError
    from screening.records.dossier import open_dossier
    from screening.settings_source import load_settings
    from worklist.objects import dossier_object
    from worklist.plain_text import plain
    from worklist.study_sheet import study_sheet

    with opened(load_settings()) as records, records.read() as session:
        dossier = open_dossier(session, uid)
    if dossier is None:
        raise RecordsError(
            f"no image of the study {plain(uid)} was received; see the UIDs of all studies with "
            "nightread cases --all --json"
        )
    if as_json:
        write_json(dossier_object(dossier))
    else:
        print_result(study_sheet(dossier))
