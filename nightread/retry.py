"""``nightread retry``: another chance for images that were not scored."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from screening.domain.reason import Reason

if TYPE_CHECKING:
    from screening.records.engine import Records


def retry(
    reason: Annotated[
        list[Reason] | None,
        typer.Option(
            metavar="REASON",
            help="Images with this reason, as the README lists them; may be repeated. "
            "By default: error.",
        ),
    ] = None,
    study: Annotated[str, typer.Option(help="Only of this Study Instance UID.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which images it would be, and change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Let images that failed be read and scored again.

    For instance after a decoder was installed, a disk mounted or a setting changed. Each has all
    its attempts again; a worker takes it up within seconds.
    """
    from nightread.database import opened
    from nightread.terminal import print_result, remark, write_json
    from screening.errors import RecordsError
    from screening.records.cases import find_case
    from screening.records.retry import find_unscored, studies_with
    from screening.settings_source import load_settings
    from worklist.objects import unscored_object
    from worklist.plain_text import plain
    from worklist.unscored_table import unscored_table

    reasons = tuple(reason or (Reason.ERROR,))
    with opened(load_settings()) as records:
        with records.read() as session:
            if study and find_case(session, study) is None:
                raise RecordsError(f"no image of the study {plain(study)} was received")
            found = find_unscored(session, reasons, study or None)
            studies = [] if dry_run else studies_with(session, reasons, study or None)
        retried = sum(_retry(records, row, reasons) for row in studies)
    if as_json:
        write_json({"retried": retried, "images": [unscored_object(image) for image in found]})
        return
    print_result(unscored_table(found))
    remark(_summary(len(found) if dry_run else retried, dry_run))


def _retry(records: Records, study_row: int, reasons: tuple[Reason, ...]) -> int:
    """Give a study's images another chance, in a transaction of its own: the door goes on."""
    from screening.records.retry import retry_study

    now = dt.datetime.now(dt.UTC)
    return records.repeat(partial(retry_study, study_row=study_row, reasons=reasons, now=now))


def _summary(images: int, dry_run: bool) -> str:
    if not images:
        return "No such images."
    noun = "image" if images == 1 else "images"
    verb = "would wait" if dry_run else ("waits" if images == 1 else "wait")
    return f"{images} {noun} {verb} again."
