"""What is in the archive is read by another model, a few studies at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import structlog
from pydantic import BaseModel, ConfigDict

from screening.domain.night_batch import FetchState
from screening.records import night_batches
from screening.records.engine import Records
from screening.records.night_batches import Batch
from screening.records.night_tally import stat_images_wait, studies_waiting
from screening.records.rescreening import note_unscored, plan_rescreening, put_back_study

log = structlog.get_logger(__name__)

_IN_FLIGHT = 50
_AT_ONCE = 10
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    model_version: str
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    body_parts: tuple[str, ...] = ()


def rescreen(records: Records, batch: Batch, now: Callable[[], dt.datetime]) -> bool:
    """Take a batch of the archive one step further, and say whether the next can follow at once."""
    asked = Rescreened.model_validate(batch.question)
    model = asked.model, asked.model_version
    if batch.rounds == 0:
        with records.begin() as session:
            days = asked.first_day, asked.last_day
            count = plan_rescreening(
                session, batch, model, now(), days=days, body_parts=asked.body_parts
            )
        log.info("batch_planned", batch=batch.row, studies=count)
        return True
    with records.read() as session:
        planned = night_batches.count_studies(session, batch.row).get(FetchState.PLANNED, 0)
        waiting = studies_waiting(session, batch.row)
        is_busy = stat_images_wait(session)
    if waiting >= _IN_FLIGHT or (planned and is_busy) or (waiting and not planned):
        why = "stat images are read first" if planned and is_busy else None
        with records.begin() as session:
            night_batches.postpone_batch(session, batch.row, now() + _SOON, why)
        return False
    with records.begin() as session:
        if planned:
            for _ in range(_AT_ONCE):
                study = night_batches.take_study(session, batch.row, now(), _SOON)
                if study is not None:
                    put_back_study(session, study, model, now())
            return True
        why = f"the workers score with another model than {asked.model} {asked.model_version}"
        if left := note_unscored(session, batch, model, why):
            log.warning("rescreening_by_another_model", batch=batch.row, studies=left)
        night_batches.end_batch(session, batch.row, now())
    log.info("batch_finished", batch=batch.row)
    return False
