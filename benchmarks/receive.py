"""C-STORE throughput: our listener against pynetdicom's example, storescp and Orthanc.

Ours is the real process on embedded defaults: each image is synced and its row committed before the
answer. Orthanc is as it ships, which syncs as well; storescp (--fork +B, PDUs of 128 KB) and the
example of pynetdicom's documentation promise nothing. TCP_NODELAY is on at every end. The sender is
DCMTK's storescu where there is one, with 1, 2 and 4 associations at a time; every image that a
receiver gets has its own SOP Instance UID and its own pixels. For each repeat each receiver is
started anew, one after the other, and must hold everything that was sent in the end.

A ratio is the other's time over ours, for the same images over 1, 2 and 4 associations together:
above 1 ours is faster. peak_mb is the most memory that our listener held, in 10^6 bytes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.apparatus.process import peak_megabytes
from benchmarks.apparatus.receivers import OURS, RECEIVERS, Receiver, is_installed
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
    """

    name: str
    side: int
    unit: str
    images: int

    @property
    def amount(self) -> float:
        """How much is sent for each number of associations, in the unit's measure."""
        return self.images * self.side**2 * 2 / 1e6 if self.unit == "MB/s" else self.images


@dataclass(slots=True)
class Results:
    """What a receiver did with one load, a value for each repeat."""

    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    peak_mb: list[float] = field(default_factory=list)

    def total(self) -> list[float]:
        """Return the seconds of all numbers of associations together."""
        return [sum(times) for times in zip(*self.seconds.values(), strict=True)]


def measure(options: argparse.Namespace) -> Report:
    """Send every load to every receiver by turns."""
    loads = (
        Load("large", 2236, "MB/s", 8 if options.quick else 24),
        Load("small", 500, "images/s", 64 if options.quick else 400),
    )
    rows: list[Row] = []
    ratios: dict[str, Sequence[float]] = {}
    for load in loads:
        results = _by_turns(load, repeats=2 if options.quick else 5)
        rows += [row for name in RECEIVERS for row in _rows(load, name, results.get(name))]
        ours = results.pop(OURS)
        for name, theirs in results.items():
            ratios[f"{load.name}_vs_{name}"] = paired(theirs.total(), ours.total())
        ratios["peak_mb"] = [*ratios.get("peak_mb", ()), *ours.peak_mb]
    return Report(
        name="receive",
        reading="The other's time over ours; above 1 ours is faster (peak_mb: 10^6 bytes):",
        rows=rows,
        ratios=ratios,
        conditions={
            "sender": sender_name(),
            **{load.name: f"{load.side**2 * 2 / 1e6:.1f} MB each" for load in loads},
        },
    )


def _by_turns(load: Load, repeats: int) -> dict[str, Results]:
    results = {name: Results() for name in RECEIVERS if is_installed(name)}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as folder:
        remark(f"drawing phantoms, {load.name}")
        images = load.images * len(_ASSOCIATIONS) + _WARM_UP
        paths = write_load(Path(folder), images // 2, 2, side=load.side)
        for repeat in range(1, repeats + 1):
            for name, result in results.items():
                remark(f"{load.name} images to {name}, {repeat} of {repeats}")
                _receive(name, load, paths, result)
    return results


def _receive(name: str, load: Load, paths: Sequence[Path], result: Results) -> None:
    """Start a receiver, send it everything, and see that it holds it."""
    # What earlier receivers left unwritten is not to be waited for by this one.
    os.sync()
    _, start = RECEIVERS[name]
    with (
        tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as folder,
        start(Path(folder)) as receiver,
    ):
        send(receiver.port, [paths[:_WARM_UP]])
        for turn, associations in enumerate(_ASSOCIATIONS):
            first = _WARM_UP + turn * load.images
            parts = in_parts(paths[first : first + load.images], associations)
            result.seconds[associations].append(send(receiver.port, parts))
        _require_all(name, receiver, len(paths))
        if receiver.process is not None:
            result.peak_mb.append(peak_megabytes(receiver.process))


def _require_all(name: str, receiver: Receiver, sent: int) -> None:
    held = receiver.images()
    if held != sent:
        raise BenchmarkError(f"{name} was sent {sent} images and holds {held}")


def _rows(load: Load, name: str, result: Results | None) -> list[Row]:
    rows = []
    for associations in _ASSOCIATIONS:
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
