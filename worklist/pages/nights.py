"""Nights as pages: batches at work, what each night brought, and its report."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from screening.domain.night import last_night, night_of, night_window
from screening.records.audit import Event
from screening.records.night_batches import Batch, list_batches
from screening.records.night_counts import count_images
from screening.records.night_tally import BatchTally, tally_batch
from worklist.batch_pace import Pace
from worklist.desk import AtDesk, Desk
from worklist.night_report import NIGHTS_BEFORE, read_night
from worklist.pages.page import render
from worklist.refusal import RefusalError
from worklist.visitor import Looks

router = APIRouter()

_MOST_BATCHES = 20

Night = Annotated[dt.date, Path(description="The day on which it began.")]


@router.get("/nights")
def show_nights(request: Request, desk: AtDesk, visitor: Looks) -> Response:
    """Show how far batches are, and the last nights."""
    now, zone = desk.clock(), desk.nights.zone
    newest = max(night_of(now, zone), last_night(now, zone))
    days = [newest - dt.timedelta(days=number) for number in range(NIGHTS_BEFORE)]
    with desk.records.read() as session:
        nights = [(day, count_images(session, *night_window(day, zone))) for day in days]
    batches = _batches(desk)
    return render(request, desk, visitor, "nights.html", nights=nights, batches=batches)


@router.get("/nights/batches")
def show_batches(request: Request, desk: AtDesk, visitor: Looks) -> Response:
    """Show how far batches are, for a page that is open."""
    return render(request, desk, visitor, "batches.html", batches=_batches(desk))


@router.get("/nights/{night}")
def show_night(request: Request, desk: AtDesk, visitor: Looks, night: Night) -> Response:
    """Show the report of a night."""
    report = read_night(desk.records, require_known(night, desk), desk.clock(), desk.nights)
    desk.note(visitor.actor, Event.LISTED, detail=f"the night of {night}")
    pictures = {
        case.study_instance_uid: f"/api/v1/studies/{case.study_instance_uid}/thumbnail"
        for case in report.cases[:500]
    }
    return render(
        request, desk, visitor, "night.html", report=report, thumbnails=pictures, address=""
    )


def require_known(night: dt.date, desk: Desk) -> dt.date:
    """Return a night that can have been.

    Raises
    ------
    RefusalError
        If it is to come, or before anybody took radiographs.
    """
    if not dt.date(1896, 1, 1) <= night <= night_of(desk.clock(), desk.nights.zone):
        raise RefusalError(404, "that night is not one that was")
    return night


def _batches(desk: Desk) -> list[Pace]:
    with desk.records.read() as session:
        found = list_batches(session, limit=_MOST_BATCHES)
    return [Pace(each, _tally(desk, each), desk.clock()) for each in found]


def _tally(desk: Desk, batch: Batch) -> BatchTally:
    """Count a batch; one that has ended, and of which nothing waits, once."""
    if batch.ended_at is not None and batch.row in desk.ended_batches:
        return desk.ended_batches[batch.row]
    with desk.records.read() as session:
        tally = tally_batch(session, batch.row)
    if batch.ended_at is not None and not tally.waiting:
        desk.ended_batches[batch.row] = tally
    return tally
