"""A page of the list out of a million studies, beside the look-up of one row by its key.

A million studies with three million images, of which two in a hundred are flagged, on SQLite and
on PostgreSQL. For each filter that the list offers: its first page of 50, and one from the middle
of the list, each timed whole, with the objects that it returns. Beside it, in turns, one study by
its primary key, by the same library over the same connection.

page_vs_key: how many look-ups a page costs; the worst filter of each database counts. At most 10 is
the aim.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

import migrations
from benchmarks.apparatus.many_studies import DAYS, fill, some_study
from benchmarks.apparatus.postgresql import PostgreSQL, find_programs
from benchmarks.apparatus.report import (
    NOT_INSTALLED,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from screening.domain.reason import Reason
from screening.domain.verdict import FLAGGED, Verdict
from screening.records.case_filter import EVERYTHING, CaseFilter, Cursor
from screening.records.cases import list_cases
from screening.records.engine import Records
from screening.records.schema import StudyRow

_ALL = frozenset(Verdict)
_PAGE = 50


def _filters() -> dict[str, CaseFilter]:
    last = dt.date(2026, 3, 1)
    return {
        "flagged": CaseFilter(),
        "everything": EVERYTHING,
        "suspected": CaseFilter(frozenset({Verdict.SUSPECTED})),
        "two verdicts apart": CaseFilter(frozenset({Verdict.SUSPECTED, Verdict.CLEAR})),
        "not reviewed": CaseFilter(FLAGGED, reviewed=False),
        "reviewed": CaseFilter(_ALL, reviewed=True),
        "body part": CaseFilter(_ALL, body_part="WRIST"),
        "rare body part": CaseFilter(_ALL, body_part="CLAVICLE"),
        "sender": CaseFilter(_ALL, calling_ae_title="SITE3"),
        "reason": CaseFilter(_ALL, reason=Reason.TOO_SMALL),
        "a day": CaseFilter(_ALL, first_date=last, last_date=last),
        "a week": CaseFilter(_ALL, first_date=last - dt.timedelta(6), last_date=last),
        "two months": CaseFilter(_ALL, first_date=last - dt.timedelta(60), last_date=last),
        "a year": CaseFilter(_ALL, first_date=last - dt.timedelta(365), last_date=last),
        "a name": CaseFilter(_ALL, text="family77"),
        "an identifier": CaseFilter(_ALL, text="P0123456"),
        "an accession number": CaseFilter(_ALL, text="A0654321"),
        "flagged of a body part on a day, not reviewed": CaseFilter(
            reviewed=False, body_part="WRIST", first_date=last, last_date=last
        ),
    }


def measure(options: argparse.Namespace) -> Report:
    """Measure on both databases."""
    studies = 50_000 if options.quick else 1_000_000
    repeats = 7 if options.quick else 15
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        for database in ("sqlite", "postgresql"):
            if database == "postgresql" and find_programs() is None:
                rows.append(Row({"database": database, "filter": NOT_INSTALLED}, "ms"))
                continue
            with _records(Path(name), database) as records:
                remark(f"{database}: filing {studies} studies")
                fill(records, studies)
                found = _pages(records, studies, repeats)
            rows += [
                Row({"database": database, "filter": label}, "ms", times)
                for label, (times, _) in found.items()
            ]
            shares = {label: paired(*each) for label, each in found.items()}
            worst = max(shares, key=lambda label: sorted(shares[label])[len(shares[label]) // 2])
            ratios |= {f"{database} {label}": share for label, share in shares.items()}
            ratios[f"page_vs_key_{database}"] = shares[worst]
            remark(f"{database}: the worst filter is {worst}")
    return Report(
        name="worklist",
        reading="a page in units of one look-up by key:",
        rows=rows,
        ratios=ratios,
        conditions={"studies": f"{studies}", "images": f"{3 * studies}", "days": f"{DAYS}"},
    )


@contextmanager
def _records(folder: Path, database: str) -> Iterator[Records]:
    if database == "sqlite":
        records = Records(f"sqlite:///{folder / 'records.sqlite'}")
        migrations.upgrade(records)
        yield records
        records.close()
        return
    own = folder / "postgresql"
    own.mkdir()
    server = PostgreSQL(own)
    server.start()
    records = Records(server.url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        migrations.upgrade(records)
        yield records
    finally:
        records.close()
        server.stop()


def _pages(
    records: Records, studies: int, repeats: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Return, for each filter, the times of a page and of a look-up by key, in turns."""
    middle = Cursor(*some_study(records, studies // 2))
    found: dict[str, tuple[list[float], list[float]]] = {}
    for label, wanted in _filters().items():
        starts = {label: None, f"{label}, from the middle": middle}
        for name, after in starts.items():
            pages: list[float] = []
            keys: list[float] = []
            for repeat in range(repeats + 1):
                with records.read() as session:
                    session.connection()
                    page = _milliseconds(
                        partial(list_cases, session, wanted, limit=_PAGE, after=after)
                    )
                    rows = range(repeat * 7 + 1, repeat * 7 + 6)
                    key = min(_milliseconds(partial(_by_key, session, row)) for row in rows)
                if repeat:  # the first warms up
                    pages.append(page)
                    keys.append(key)
            found[name] = (pages, keys)
    return found


def _by_key(session: Session, row: int) -> object:
    return session.execute(select(StudyRow).where(StudyRow.id == row)).one()


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Run the benchmark."""
    launch(command_line("worklist", __doc__), measure)


if __name__ == "__main__":
    main()
