"""What became of a batch of claimed images, of several studies, written as one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from screening.domain.observation import Observation
from screening.records.claims import release
from screening.records.results import Result, Scorer, record_results


@dataclass(frozen=True, slots=True)
class Return:
    """An image that is given back, to be tried again; see `screening.records.claims.release`."""

    row: int
    error: str
    retry_at: dt.datetime
    counts: bool


def record_batch(
    session: Session,
    results: Mapping[int, Mapping[int, Result]],
    returns: Sequence[Return],
    *,
    worker: str,
    scorer: Scorer,
    now: dt.datetime,
    observations: Mapping[int, Observation],
) -> None:
    """Write a batch's results and the verdicts that follow, and give back what failed.

    Parameters
    ----------
    session
        An open transaction.
    results
        By study row, then by instance row.
    returns
        The others.
    worker
        Who claimed them.
    scorer, now, observations
        As for `screening.records.results.record_results`.
    """
    # In one order everywhere: else two workers wait for each other's studies.
    for study_row in sorted(results):
        record_results(session, study_row, results[study_row], scorer, now, observations)
    for image in returns:
        release(
            session,
            image.row,
            worker=worker,
            error=image.error,
            retry_at=image.retry_at,
            counts=image.counts,
        )
