"""``nightread batch rescreen``: what is in the archive, read by the model of today."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.records.engine import Records

_PAUSE_SECONDS = 0.5


def rescreen(
    first_day: Annotated[
        dt.datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Dates from [the first]."),
    ] = None,
    last_day: Annotated[
        dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="And to [until today].")
    ] = None,
    body_part: Annotated[
        list[str] | None, typer.Option(help="Body Part Examined; may be repeated [all].")
    ] = None,
    tell: Annotated[
        bool, typer.Option("--tell", help="Send changed results and notices as for new studies.")
    ] = False,
) -> None:
    """Have the champion read what is here and what it has not scored.

    That is the model that was appointed, or else that of the settings.

    Older scores stay on record; an image is judged by the newest. Nobody is told of verdicts that
    change, unless asked for: nightread resend sends a study's results. Needs running workers that
    have loaded the model: nightread up. Stopped, it goes on when it is run again. The exit code is
    1 if it did not come to its end, or something has no score of this model and no reason.
    """
    from models.bundle import read_bundle
    from night.rescreening import Rescreened
    from nightread.administration import now
    from nightread.batch_progress import shown
    from nightread.database import opened
    from nightread.terminal import remark, write
    from screening.domain.night_batch import ARCHIVE
    from screening.errors import BatchError
    from screening.records.appointments import find_appointed
    from screening.records.night_batches import begin_or_go_on, find_batch
    from screening.records.night_tally import is_complete, tally_batch
    from screening.settings_source import load_settings

    if first_day and last_day and last_day < first_day:
        raise BatchError("--to is before --from")
    settings = load_settings()
    with opened(settings) as records, records.read() as session:
        model = find_appointed(session).champion or read_bundle(settings.model).identity
    asked = Rescreened(
        model=model.name,
        model_version=model.version,
        first_day=first_day.date() if first_day else None,
        last_day=last_day.date() if last_day else None,
        body_parts=tuple(each.upper() for each in body_part or ()),
        tell=tell,
    ).model_dump(mode="json")
    with opened(settings) as records:
        with records.begin() as session:
            batch, goes_on = begin_or_go_on(session, ARCHIVE, asked, now())
        state = "goes on" if goes_on else "has begun"
        remark(f"batch {batch.row} {state}: {model.name} {model.version}")
        _run(records, batch.row)
        write(shown(records, batch.row))
        with records.read() as session:
            found = find_batch(session, batch.row)
            assert found is not None, "batches are never deleted"
            is_done = is_complete(found, tally_batch(session, batch.row))
    if not is_done:
        raise typer.Exit(1)


def _run(records: Records, number: int) -> None:
    """Take a batch on until it ends, or somebody pauses or cancels it."""
    import time

    from night.rescreening import rescreen as take_on
    from nightread.administration import now
    from nightread.batch_progress import progressing
    from nightread.terminal import remark
    from screening.errors import RecordsError

    with progressing(records, number) as show:
        while (batch := show()) is not None:
            try:
                goes_on = batch.due_at <= now() and take_on(records, batch, now)
            except RecordsError as error:
                # A database that is busy or away for a moment: every step can be taken again.
                remark(str(error))
                goes_on = False
            if not goes_on:
                time.sleep(_PAUSE_SECONDS)
