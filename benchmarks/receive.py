"""C-STORE throughput: our listener against pynetdicom's example, storescp and Orthanc.

Ours is the real process on embedded defaults, alone and as two processes on one port: each image
is synced and its row committed before the answer. Orthanc is as it ships, which syncs as well;
storescp (--fork +B, PDUs of 128 KB) and the example of pynetdicom's documentation promise nothing.
TCP_NODELAY is on at every end, except for those called stock, which are measured once. The sender
is DCMTK's storescu where there is one, with 1, 2 and 4 associations at a time; every image that a
receiver gets has its own SOP Instance UID and its own pixels. For each repeat each receiver is
started anew, one after the other, and must hold everything that was sent in the end.

A ratio is the other's time over ours for the same images, in the same repeat: above 1 ours is
faster. Ours is then alone or as two processes, whichever has the better median of all repeats. Of
large images the best over the associations counts, of small ones those over 1 and over 4 stand for
themselves, and the lower of the two is named without a number. peak_mb is the most memory that one
of our listening processes held over 4 associations of 100 MB images, in 10^6 bytes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.apparatus.process import peak_megabytes
from benchmarks.apparatus.receivers import OURS, OURS_TWICE, RECEIVERS, Receiver, is_installed
from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from benchmarks.apparatus.senders import in_parts, send, sender_name
from phantoms.load import write_load

_ASSOCIATIONS = (1, 2, 4)
_STOCK = ("orthanc_stock", "dcmtk_stock")
_OTHERS = ("orthanc", "dcmtk", "naive")
_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Load:
    """Images of one kind.

    Attributes
    ----------
    name, side, unit
        What they are called, their height and width in pixels, and what their throughput is in.
    images
        For each number of associations; a multiple of 8, so that four get whole studies of two.
    associations
        How many at a time, one number after the other.
    receivers
        Whom it is sent to.
    """

    name: str
    side: int
    unit: str
    images: int
    associations: tuple[int, ...] = _ASSOCIATIONS
    receivers: tuple[str, ...] = tuple(RECEIVERS)

    @property
    def amount(self) -> float:
        """How much is sent for each number of associations, in the unit's measure."""
        return self.images * self.side**2 * 2 / 1e6 if self.unit == "MB/s" else self.images


@dataclass(slots=True)
class Results:
    """What a receiver did with one load, a value for each repeat."""

    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    peak_mb: list[float] = field(default_factory=list)

    def best(self) -> list[float]:
        """Return the seconds of the best number of associations, repeat by repeat."""
        return [min(times) for times in zip(*self.seconds.values(), strict=True)]


def measure(options: argparse.Namespace) -> Report:
    """Send every load to every receiver by turns."""
    large = Load("large", 2236, "MB/s", 8 if options.quick else 24)
    small = Load("small", 500, "images/s", 64 if options.quick else 400)
    huge = Load("huge", 7071, "MB/s", 8, associations=(4,), receivers=(OURS,))
    repeats = 2 if options.quick else 5
    rows: list[Row] = []
    ratios: dict[str, Sequence[float]] = {}
    for load in (large, small):
        results = _by_turns(load, repeats)
        rows += [row for name in load.receivers for row in _rows(load, name, results.get(name))]
        for name in _OTHERS:
            if name in results:
                ratios |= _ratios(load, name, results)
    held = _by_turns(huge, 1)[OURS]
    rows += _rows(huge, OURS, held)
    ratios["peak_mb"] = held.peak_mb
    return Report(
        name="receive",
        reading="The other's time over ours; above 1 ours is faster (peak_mb: 10^6 bytes):",
        rows=rows,
        ratios=ratios,
        conditions={
            "sender": sender_name(),
            **{load.name: f"{load.side**2 * 2 / 1e6:.1f} MB each" for load in (large, small, huge)},
        },
    )


def _ratios(load: Load, name: str, results: dict[str, Results]) -> dict[str, Sequence[float]]:
    """Return the ratios to one of the others, under the names that the report has."""
    theirs, ours = results[name], [results[OURS], results[OURS_TWICE]]
    key = f"{load.name}_vs_{name}"
    if load.name == "large":
        return {key: paired(theirs.best(), _better(each.best() for each in ours))}
    each = {
        count: paired(theirs.seconds[count], _better(one.seconds[count] for one in ours))
        for count in (1, 4)
    }
    lower = min(each.values(), key=statistics.median)
    return {key: lower} | {f"{key}_over_{count}": values for count, values in each.items()}


def _better(ours: Iterable[list[float]]) -> list[float]:
    """Return the times of the one that is to be chosen: not the luckier in each repeat."""
    return min(ours, key=statistics.median)


def _by_turns(load: Load, repeats: int) -> dict[str, Results]:
    results = {name: Results() for name in load.receivers if is_installed(name)}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as made:
        folder = Path(made)
        remark(f"drawing phantoms, {load.name}")
        images = load.images * len(load.associations) + _WARM_UP
        paths = write_load(folder / "load", images // 2, 2, side=load.side)
        for repeat in range(1, repeats + 1):
            for name, result in results.items():
                if repeat > 1 and name in _STOCK:
                    continue  # they take minutes, and stand in the table for the record
                remark(f"{load.name} images to {name}, {repeat} of {repeats}")
                kept = folder / f"{name} {repeat}"
                kept.mkdir()
                _receive(name, load, paths, kept, result)
                _empty(kept)
    return results


def _empty(folder: Path) -> None:
    """Give room on the disk back, and no more.

    ext4 looks past each file that was removed in the last minutes when it makes a new one, a
    third of a millisecond that would fall on the next receiver.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _receive(name: str, load: Load, paths: Sequence[Path], folder: Path, result: Results) -> None:
    """Start a receiver, send it everything, and see that it holds it."""
    # What earlier receivers left unwritten is not to be waited for by this one.
    os.sync()
    _, start = RECEIVERS[name]
    nodelay = name not in _STOCK
    with start(folder) as receiver:
        send(receiver.port, [paths[:_WARM_UP]], nodelay=nodelay)
        for turn, associations in enumerate(load.associations):
            first = _WARM_UP + turn * load.images
            parts = in_parts(paths[first : first + load.images], associations)
            result.seconds[associations].append(send(receiver.port, parts, nodelay=nodelay))
        _require_all(name, receiver, len(paths))
        if receiver.process is not None:
            result.peak_mb.append(peak_megabytes(receiver.process))


def _require_all(name: str, receiver: Receiver, sent: int) -> None:
    held = receiver.images()
    if held != sent:
        raise BenchmarkError(f"{name} was sent {sent} images and holds {held}")


def _rows(load: Load, name: str, result: Results | None) -> list[Row]:
    rows = []
    for associations in load.associations:
        seconds = result.seconds[associations] if result else []
        labels = {"images": load.name, "receiver": name, "associations": str(associations)}
        rows.append(Row(labels, load.unit, [load.amount / value for value in seconds]))
    if result is None or result.peak_mb:
        labels = {"images": load.name, "receiver": name, "associations": "peak memory"}
        rows.append(Row(labels, "MB", result.peak_mb if result else []))
    return rows


def main() -> None:
    """Run the benchmark."""
    launch(command_line("receive", __doc__), measure)


if __name__ == "__main__":
    main()
