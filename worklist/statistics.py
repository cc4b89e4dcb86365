"""Agreement and the alert budget, as the page and REST both have them."""

from __future__ import annotations

from dataclasses import dataclass

from screening.domain.agreement import (
    Agreement,
    ReviewedCase,
    agreement,
    agreement_by,
    week_of,
)
from screening.domain.alert_budget import Budget, LocalStudies
from screening.records.agreement import reviewed_cases, spread_of_scores
from screening.records.engine import Records

FLAGS = (2.0, 5.0, 10.0, 12.0, 15.0, 20.0, 30.0)
"""Per hundred studies: what a budget is shown for."""

PRECISIONS = (0.2, 0.4, 0.6, 0.8)
"""Of flags: what the lowest threshold is shown for."""

_MOST_DISCORDANT = 200


@dataclass(frozen=True, slots=True)
class Statistics:
    """What reviews say of the verdicts.

    Attributes
    ----------
    overall
        All reviewed studies.
    by_body_part, by_scanner, by_week
        The same in groups.
    discordant
        Studies in which reviewer and classifier see different things, at most 200.
    by_flags, by_precision
        The lowest thresholds with so many flags, or with such a precision.
    local
        What any threshold costs.
    """

    overall: Agreement
    by_body_part: tuple[Agreement, ...]
    by_scanner: tuple[Agreement, ...]
    by_week: tuple[Agreement, ...]
    discordant: tuple[ReviewedCase, ...]
    by_flags: tuple[Budget, ...]
    by_precision: tuple[Budget, ...]
    local: LocalStudies


def read_statistics(
    records: Records,
    flags: tuple[float, ...] = FLAGS,
    precisions: tuple[float, ...] = PRECISIONS,
) -> Statistics:
    """Return the statistics of all reviews that stand."""
    with records.read() as session:
        reviewed = reviewed_cases(session)
        scores = spread_of_scores(session)
    local = LocalStudies(scores, reviewed)
    discordant = [case for case in reviewed if case.is_discordant]
    return Statistics(
        overall=agreement(reviewed),
        by_body_part=tuple(agreement_by(reviewed, lambda case: case.body_part or "not named")),
        by_scanner=tuple(agreement_by(reviewed, lambda case: case.scanner or "not named")),
        by_week=tuple(agreement_by(reviewed, week_of)),
        discordant=tuple(discordant[-_MOST_DISCORDANT:]),
        by_flags=tuple(map(local.by_flags, flags)),
        by_precision=tuple(map(local.by_precision, precisions)),
        local=local,
    )
