"""From a file to its row, and from C-STORE to a verdict.

*File to row*, on one core: ours (worker.pipeline with its reader, into SQLite), the naive pipeline
(pydicom's tables in float64, MONAI's transforms, one image at a time in float32, a Grad-CAM each),
one process for each image, and the floor: the frame decoded and the bare forward passes, in the
precision and the orientations of ours. For the shipped bundle and for a DenseNet121 of random
weights, by transfer syntax, on a DX phantom of 10 MB. The four take turns.

*End to end*, on all cores that there are: listener, Redis, SQLite and worker at their defaults, and
the sender beside them. Its floor is a process of the floor on every core at once, with neither a
listener nor a sender. The stat figure is the time from the end of a study's association to its
committed verdict, while a backlog is being read.

vs_naive above 1: ours is faster. vs_floor: ours in units of the floor's time; 1 is the best.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import migrations
from benchmarks.apparatus.archived import copies, take_in_study
from benchmarks.apparatus.end_to_end import measure_end_to_end
from benchmarks.apparatus.one_core import one_core
from benchmarks.apparatus.random_bundle import densenet_bundle
from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from benchmarks.apparatus.scoring import (
    Floor,
    NaivePipeline,
    milliseconds_of_stages,
    one_process,
    seconds,
)
from benchmarks.apparatus.senders import sender_name
from benchmarks.read import write_images
from models.bundle import read_bundle
from models.classifier import Classifier
from models.screener import Screener
from screening.archive.folder_archive import FolderArchive
from screening.records.engine import Records
from screening.records.tally import tally
from screening.settings import Settings
from worker.pipeline import Pipeline
from worker.readers import Readers

_SYNTAXES = ("uncompressed", "rle", "jpegls", "jpeglossless", "jpeg2000")

Times = dict[str, list[float]]


def measure(options: argparse.Namespace) -> Report:
    """Measure both ways, and hold them together."""
    repeats = 3 if options.quick else 7
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        folder = Path(name)
        images = write_images(folder, 2500, 2000)
        with one_core():
            for model in ("mobilenet_v2", densenet_bundle(folder)):
                found = _file_to_row(folder, str(model), images, repeats, options.quick)
                rows += found[0]
                ratios |= found[1]
        ratios |= measure_end_to_end(folder, images["uncompressed"], options.quick, rows)
    return Report(
        name="screen",
        reading="vs_naive: above 1 ours is faster; vs_floor: our time over the floor's:",
        rows=rows,
        ratios=ratios,
        conditions={
            "sender": sender_name(),
            "image": "DX, 2500 x 2000, 16 bits; end to end 2236 x 2236",
            "one core": "file to row; end to end on all",
        },
    )


def _file_to_row(
    folder: Path, reference: str, images: dict[str, Path | None], repeats: int, quick: bool
) -> tuple[list[Row], dict[str, list[float]]]:
    bundle = read_bundle(reference)
    screener = Screener(Classifier.from_bundle(bundle))
    naive, floor = NaivePipeline(bundle), Floor(Classifier.from_bundle(bundle), screener.quick)
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    prefix = "" if bundle.name == "mobilenet_v2" else "densenet121_"
    with _bench(folder / f"{bundle.name}-data", screener) as bench:
        for syntax in _SYNTAXES:
            path = images[syntax]
            if path is None:
                rows.append(Row(_labels(bundle.name, syntax, "ours"), "ms"))
                continue
            remark(f"{bundle.name}, {syntax}")
            times = _turns(bench, path, naive, floor, repeats, 2 if quick else 4)
            if syntax == "uncompressed":
                times["one process each"] = [
                    1e3 * seconds(lambda each: one_process(reference, each), [path])
                    for _ in range(2)
                ]
            rows += [Row(_labels(bundle.name, syntax, way), "ms", v) for way, v in times.items()]
            stages = milliseconds_of_stages(screener, path, repeats)
            rows += [
                Row(_labels(bundle.name, syntax, f"stage: {stage}"), "ms", values)
                for stage, values in stages.items()
            ]
            ratios[f"{prefix}{syntax}_vs_naive"] = paired(times["naive"], times["ours"])
            ratios[f"{prefix}{syntax}_vs_floor"] = paired(times["ours"], times["floor"])
    if not prefix:
        ratios["vs_naive"] = ratios["uncompressed_vs_naive"]
        ratios["vs_floor"] = ratios["uncompressed_vs_floor"]
    return rows, ratios


def _labels(model: str, syntax: str, way: str) -> dict[str, str]:
    return {"model": model, "transfer syntax": syntax, "way": way}


class _Bench:
    """Records, an archive and a pipeline in this process."""

    def __init__(self, folder: Path, screener: Screener) -> None:
        self.folder = folder
        folder.mkdir()
        settings = Settings(data_dir=folder, abstain_unlike=False)
        self.records = Records(settings.records_url)
        migrations.upgrade(self.records)
        self.archive = FolderArchive(settings.archive_dir)
        self.readers = Readers(settings, [screener.classifier.input])
        self._pipeline = Pipeline(
            settings, self.records, self.archive, screener, self.readers, "benchmark"
        )

    def screen(self, paths: Sequence[Path]) -> float:
        """Return the seconds from files that are in to committed rows."""
        study = take_in_study(self.records, self.archive, paths)
        before = self._scored()
        began = time.perf_counter()
        self._pipeline.screen(study)
        taken = time.perf_counter() - began
        if self._scored() - before != len(paths):
            raise BenchmarkError(f"not all of {len(paths)} images were scored")
        return taken

    def _scored(self) -> int:
        with self.records.read() as session:
            return tally(session).scored


@contextmanager
def _bench(folder: Path, screener: Screener) -> Iterator[_Bench]:
    bench = _Bench(folder, screener)
    try:
        yield bench
    finally:
        bench.readers.close()
        bench.records.close()


def _turns(
    bench: _Bench, path: Path, naive: NaivePipeline, floor: Floor, repeats: int, batches: int
) -> Times:
    """Let the ways take turns, and return the milliseconds of an image in each."""
    times: Times = {"ours": [], "naive": [], "floor": []}
    images = 4 * batches
    for repeat in range(repeats + 1):
        paths = copies(path, bench.folder, images)
        found = {
            "ours": bench.screen(paths) / images,
            "naive": seconds(naive, paths[:2]) / 2,
            "floor": seconds(floor, paths) / images,
        }
        for each in paths:
            each.unlink()
        if repeat:  # the first warms up
            for way, value in found.items():
                times[way].append(value * 1e3)
    return times


def main() -> None:
    """Run the benchmark."""
    launch(command_line("screen", __doc__), measure)


if __name__ == "__main__":
    main()
