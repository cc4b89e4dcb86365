"""What the rules would remove now, what is held back, and why: a look that changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from screening.domain.retention import Hindrance, Policy
from screening.records.engine import Records
from screening.records.retention import Judged, Place, count_kept, studies_over

_PAGE = 50


@dataclass(slots=True)
class Count:
    """Studies, and the files and bytes of theirs that are in the archive."""

    studies: int = 0
    files: int = 0
    size_bytes: int = 0

    def add(self, study: Judged) -> None:
        """Count a study."""
        self.studies += 1
        self.files += len(study.files)
        self.size_bytes += study.size_bytes


@dataclass(slots=True)
class Outlook:
    """What would go by which rule, and what stays though its time is over.

    Attributes
    ----------
    read_at
        When, UTC.
    due
        By the name of the rule; of each rule, though it be nothing.
    held_back
        By the first of the reasons of each study.
    kept_files, kept_bytes
        All that is in the archive by the records, what is due included.
    """

    read_at: dt.datetime
    due: dict[str, Count]
    held_back: dict[Hindrance, Count] = field(default_factory=dict)
    kept_files: int = 0
    kept_bytes: int = 0

    def add(self, study: Judged) -> None:
        """Count a study whose time is over."""
        assert study.rule is not None, "without a rule its time is never over"
        if study.is_due:
            self.due[study.rule.name].add(study)
        else:
            self.held_back.setdefault(study.hindrances[0], Count()).add(study)


def look_ahead(
    records: Records,
    policy: Policy,
    places: Collection[str] | None,
    now: dt.datetime,
    seen: Callable[[Judged], None] = lambda study: None,
) -> Outlook:
    """Count what would go now.

    Parameters
    ----------
    places
        Names of the destinations; ``None`` where none are configured.
    seen
        Called with each study whose time is over, the oldest first.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    outlook = Outlook(now, {each.name: Count() for each in policy.rules})
    for study in each_over(records, policy, places, now):
        outlook.add(study)
        seen(study)
    with records.read() as session:
        outlook.kept_files, outlook.kept_bytes = count_kept(session)
    return outlook


def each_over(
    records: Records, policy: Policy, places: Collection[str] | None, now: dt.datetime
) -> Iterator[Judged]:
    """Yield the studies whose time is over, the oldest first, read a page at a time."""
    after: Place | None = None
    while True:
        with records.read() as session:
            page, after = studies_over(session, policy, places, now, after=after, limit=_PAGE)
        yield from page
        if after is None:
            return
