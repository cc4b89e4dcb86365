"""What is in the archive is read by another model, a few studies at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import structlog
from pydantic import BaseModel, ConfigDict

from screening.domain.night_batch import FetchState
from screening.records import night_batches, night_studies
from screening.records.engine import Records
from screening.records.night_batches import Batch
from screening.records.night_tally import stat_images_wait, studies_waiting
from screening.records.rescreening import (
    Model,
    Wanted,
    fail_studies,
    last_planned,
    put_back_study,
    studies_lacking,
    studies_left,
)

log = structlog.get_logger(__name__)

_IN_FLIGHT = 50
_AT_ONCE = 10
_PAGE = 500
_SOON = dt.timedelta(seconds=0.5)


class Rescreened(BaseModel):
    """Which studies a model is to read, and which model that is.

    Attributes
    ----------
    model, model_version
        Images that it has scored are left as they are.
    first_day, last_day
        Study dates; all where there is none.
    body_parts
        All if empty.
    tell
        Whether destinations and people are told of verdicts that change by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    model_version: str
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    body_parts: tuple[str, ...] = ()
    tell: bool = False


def rescreen(records: Records, batch: Batch, now: Callable[[], dt.datetime]) -> bool:
    """Take a batch of the archive one step further, and say whether the next can follow at once."""
    asked = Rescreened.model_validate(batch.question)
    wanted = Wanted(
        (asked.model, asked.model_version), asked.first_day, asked.last_day, asked.body_parts
    )
    if batch.rounds == 0:
        _plan(records, batch, wanted, now())
        return True
    with records.read() as session:
        planned = night_studies.count_studies(session, batch.row).get(FetchState.PLANNED, 0)
        waiting = studies_waiting(session, batch.row)
        is_busy = stat_images_wait(session)
    if waiting >= _IN_FLIGHT or (planned and is_busy) or (waiting and not planned):
        why = "stat images are read first" if planned and is_busy else None
        with records.begin() as session:
            night_batches.postpone_batch(session, batch.row, now() + _SOON, why)
        return False
    if planned:
        with records.begin() as session:
            for _ in range(_AT_ONCE):
                study = night_studies.take_study(session, batch.row, now(), _SOON)
                if study is not None:
                    put_back_study(session, study, wanted.model, now(), tell=asked.tell)
        return True
    _end(records, batch, wanted.model, now())
    return False


def _plan(records: Records, batch: Batch, wanted: Wanted, now: dt.datetime) -> None:
    """Note a page of the studies that it is: on SQLite who writes keeps the door waiting."""
    with records.read() as session:
        last = last_planned(session, batch.row)
        page = studies_lacking(session, wanted, after=last, limit=_PAGE)
    with records.begin() as session:
        if page:
            found = [(uid, accession_number) for _, uid, accession_number in page]
            night_studies.plan_studies(session, batch, found, now, again=False)
        else:
            night_batches.begin_round(session, batch, now)
            log.info("batch_planned", batch=batch.row)


def _end(records: Records, batch: Batch, model: Model, now: dt.datetime) -> None:
    """End a batch, with what the model has not scored though nothing waits."""
    with records.read() as session:
        left = studies_left(session, batch, model)
    why = (
        f"{model[0]} {model[1]} has not spoken on every image: is it champion still (nightread "
        "model show), do the workers run it, or did an image fail? Then run it again"
    )
    for start in range(0, len(left), _PAGE):
        with records.begin() as session:
            fail_studies(session, left[start : start + _PAGE], why)
    if left:
        log.warning("rescreening_by_another_model", batch=batch.row, studies=len(left))
    with records.begin() as session:
        night_batches.end_batch(session, batch.row, now)
    log.info("batch_finished", batch=batch.row)
