"""What a second and a third worker host bring, over one PostgreSQL, one Redis, one archive.

Each host is a network namespace. A worker host has half a core where control groups let it, so that
three of them fit this machine beside PostgreSQL and Redis: what is measured is then whether they
stand in each other's way, and not how many cores there are. A backlog of studies of two images of
10 MB is on record and in the archive; the worker hosts take it up at the same moment. One, two and
three take turns, each freshly started and warm.

k_vs_1: images a second of k worker hosts over those of one; k is the best.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.apparatus.archived import take_in_study
from benchmarks.apparatus.cpu_share import cpu_group, remove_cpu_group
from benchmarks.apparatus.end_to_end import wait_until_scored
from benchmarks.apparatus.hosts import Host, hosts_can_be_had
from benchmarks.apparatus.process import wait_until
from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from benchmarks.apparatus.several_hosts import Site, site
from phantoms.load import small_study
from phantoms.study import save
from screening.records.outbox import announce_now
from screening.records.tally import tally

_SIDE = 2236  # a square of 5 megapixels, 10 MB in words of 16 bits
_PLAIN = (0, 2, 3)
"""Of the anatomies of `small_study`, those that are no close call to the shipped classifier."""
_MOST = 3
_CORES = 0.5
_LATER = dt.timedelta(days=1)


def measure(options: argparse.Namespace) -> Report:
    """Let one, two and three worker hosts take turns."""
    if not hosts_can_be_had():
        raise BenchmarkError("no network namespaces: be root, with Debian's iproute2")
    studies, repeats = (12, 1) if options.quick else (48, 3)
    rates: dict[int, list[float]] = {count: [] for count in range(1, _MOST + 1)}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with ExitStack() as stack:
            found = stack.enter_context(site(folder / "site"))
            workers = [found.host(f"worker{number}") for number in range(1, _MOST + 1)]
            limited = _limit(workers, stack)
            seed = 0
            for turn in range(1, repeats + 1):
                for count, measured in rates.items():
                    remark(f"turn {turn} of {repeats}: {count} worker hosts")
                    seed += 1
                    measured.append(_rate(found, workers[:count], folder, seed, studies))
    return Report(
        name="hosts",
        reading="k_vs_1: images a second of k worker hosts over those of one; k is the best:",
        rows=[
            Row({"worker hosts": str(count)}, "images/s", found) for count, found in rates.items()
        ],
        ratios={f"{count}_vs_1": paired(rates[count], rates[1]) for count in range(2, _MOST + 1)},
        conditions={
            "study": "2 images, 2236 x 2236, 16 bits",
            "worker host": f"{_CORES:g} core" if limited else "no limit of its own",
        },
    )


def _limit(workers: list[Host], stack: ExitStack) -> bool:
    for worker in workers:
        # When the host is off already: a group with processes in it stays.
        stack.callback(remove_cpu_group, worker.namespace)
        stack.callback(worker.switch_off)
        within = cpu_group(worker.namespace, _CORES)
        if within is None:
            remark("no control groups here: the hosts share all cores")
            return False
        worker.limit(within)
    return True


def _rate(found: Site, workers: list[Host], folder: Path, seed: int, studies: int) -> float:
    """Return the images a second at which worker hosts do a backlog."""
    for worker in workers:
        (worker.folder / "log").unlink(missing_ok=True)
        found.run(worker, "work")
    before = _take_in(found, folder, 1000 * seed, 2)
    wait_until(
        lambda: all("classifier_loaded" in (w.folder / "log").read_text() for w in workers),
        "the workers are warm",
        180,
    )
    _announce(found, before)
    wait_until_scored(found.records, _received(found))
    rows = _take_in(found, folder, 1000 * seed + 500, studies)
    began = time.perf_counter()
    _announce(found, rows)
    wait_until_scored(found.records, _received(found))
    elapsed = time.perf_counter() - began
    for worker in workers:
        worker.switch_off()
        worker.mend()
    return 2 * studies / elapsed


def _take_in(found: Site, folder: Path, first: int, studies: int) -> list[int]:
    """File studies that nobody is told of yet, and return their rows."""
    rows = []
    for number in range(studies):
        index = first + _PLAIN[number % len(_PLAIN)] + 4 * (number // len(_PLAIN))
        paths = []
        for view, ds in enumerate(small_study(index, 2, side=_SIDE), 1):
            paths.append(folder / f"{view}.dcm")
            save(ds, paths[-1])
        rows.append(take_in_study(found.records, found.archive, paths, announce_in=_LATER))
    os.sync()  # or the disk would write while the hosts are timed
    return rows


def _announce(found: Site, rows: list[int]) -> None:
    with found.records.begin() as session:
        announce_now(session, rows, dt.datetime.now(dt.UTC))


def _received(found: Site) -> int:
    with found.records.read() as session:
        return tally(session).received


if __name__ == "__main__":
    launch(command_line("hosts", __doc__), measure)
