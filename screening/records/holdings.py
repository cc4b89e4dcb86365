"""Which files of the archive the records know."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.records.schema import ConflictRow, InstanceRow

_AT_ONCE = 500  # digests of a query


def recorded(session: Session, digests: Sequence[str]) -> set[str]:
    """Return those of the digests that an instance or a conflict has."""
    found: set[str] = set()
    for at in range(0, len(digests), _AT_ONCE):
        part = digests[at : at + _AT_ONCE]
        for table in (InstanceRow, ConflictRow):
            found.update(session.scalars(select(table.digest).where(table.digest.in_(part))))
    return found
