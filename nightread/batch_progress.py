"""A batch in the terminal: how far it is until it ends, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.records.night_batches import Batch
    from worklist.batch_pace import Pace


_LOOK_SECONDS = 3.0


def watch(records: Records, number: int) -> None:
    """Show how far a batch is until it ends, or nobody works on it."""
    import time

    with progressing(records, number) as show:
        while show() is not None:
            time.sleep(1)


@contextmanager
def progressing(records: Records, number: int) -> Iterator[Callable[[], Batch | None]]:
    """Yield what shows how far a batch is, and returns it; ``None`` once nobody works on it."""
    import time

    from nightread.administration import now
    from nightread.terminal import progress, remarks
    from screening.domain.night_batch import BatchState
    from screening.records.night_batches import find_batch
    from screening.records.night_tally import tally_batch
    from worklist.batch_pace import Pace

    with progress(remarks()) as bar:
        task = bar.add_task(f"batch {number}", total=None)

        looked = -_LOOK_SECONDS

        def show() -> Batch | None:
            nonlocal looked
            with records.read() as session:
                found = find_batch(session, number)
                if found is None or found.state is not BatchState.RUNNING:
                    return None
                # To count a large batch takes longer than a step of it.
                if time.monotonic() - looked < _LOOK_SECONDS:
                    return found
                tally = tally_batch(session, number)
            looked = time.monotonic()
            pace = Pace(found, tally, now())
            bar.update(task, description=_progress(pace), total=tally.wanted or None)
            bar.update(task, completed=pace.done)
            return found

        yield show


def shown(records: Records, number: int) -> str:
    """Return what became of a batch, and everything that is missing."""
    from screening.records.batch_files import count_files, files_left_out
    from screening.records.night_batches import find_batch
    from screening.records.night_studies import exceptions_of
    from screening.records.night_tally import tally_batch
    from worklist.batch_table import write_batch

    with records.read() as session:
        found = find_batch(session, number)
        assert found is not None, "batches are never deleted"
        return write_batch(
            found,
            tally_batch(session, number),
            exceptions_of(session, number),
            count_files(session, number),
            files_left_out(session, number),
        )


def _progress(pace: Pace) -> str:
    found, tally = pace.batch, pace.tally
    waits = f" ({found.last_error})" if found.last_error else ""
    rate = f", {pace.per_hour:.0f} studies an hour" if pace.per_hour else ""
    return f"batch {found.row}: {tally.scored} of {tally.received} images scored{rate}{waits}"
