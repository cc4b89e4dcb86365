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
import datetime as dt
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

import migrations
from benchmarks.apparatus.archived import copies, take_in_study
from benchmarks.apparatus.installation import count, settings_in
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
from benchmarks.apparatus.scoring import (
    Floor,
    NaivePipeline,
    floor_rate,
    milliseconds_of_stages,
    one_process,
    seconds,
)
from benchmarks.apparatus.senders import in_parts, send, sender_name
from benchmarks.read import write_images
from models.bundle import read_bundle
from models.calibration import Calibration
from models.classifier import Classifier
from models.imported_bundle import Imported, write_imported
from models.input_settings import InputSettings
from models.networks.registry import build_network, dotted_name
from models.screener import Screener
from nightread.supervisor import Supervisor
from phantoms.load import small_study
from phantoms.study import save
from screening.archive.archive import Archive
from screening.domain.verdict import OperatingPoints
from screening.records.cases import find_case, tally
from screening.records.engine import Records
from screening.settings import Settings
from worker.memory import keep_freed_memory
from worker.pipeline import Pipeline
from worker.readers import Readers

_SYNTAXES = ("uncompressed", "rle", "jpegls", "jpeglossless", "jpeg2000")
_SIDE = 2236  # a square of 5 megapixels, 10 MB in words of 16 bits
_PATIENCE_SECONDS = 600.0
_LEAST_STAT = 3
_PLAIN = (0, 2, 3)
"""Of the four anatomies of `small_study`, those that are no close call to the shipped classifier:
it reads close ones twice, which are one film in twenty of FracAtlas, and would be one in four."""
_BATCHES = 16  # images that are at work anyway: a batch in each of two processes

Times = dict[str, list[float]]


def measure(options: argparse.Namespace) -> Report:
    """Measure both ways, and hold them together."""
    repeats = 3 if options.quick else 7
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        folder = Path(name)
        images = write_images(folder, 2500, 2000)
        with _one_core():
            for model in ("mobilenet_v2", _densenet(folder)):
                found = _file_to_row(folder, str(model), images, repeats, options.quick)
                rows += found[0]
                ratios |= found[1]
        ratios |= _end_to_end(folder, images["uncompressed"], options.quick, rows)
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


def _densenet(folder: Path) -> Path:
    """Write a bundle of random weights: its scores mean nothing, its time does."""
    torch.manual_seed(1)
    network = build_network("densenet121", {})
    imported = Imported(
        name="densenet121",
        target=dotted_name("densenet121"),
        arguments={},
        input=InputSettings(size=224),
        calibration=Calibration(1.0, 0.0, 0.0),
        points=OperatingPoints(0.0, 0.0),  # everything is flagged, so that each has its heatmap
        origin="Random weights, for a benchmark.",
        calibrated=False,
    )
    return write_imported(imported, network.state_dict(), folder / "densenet121")


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process, and what it starts, on one core and one thread."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


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
        self.archive = Archive(settings.archive_dir)
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


def _end_to_end(
    folder: Path, image: Path | None, quick: bool, rows: list[Row]
) -> dict[str, list[float]]:
    """Send to a whole installation; a backlog first, then stat studies beside another."""
    assert image is not None, "what is not compressed needs no encoder"
    images = 40 if quick else 160
    rounds = 2 if quick else 3
    paths = _studies(folder / "load", images * rounds + 160 + 4)
    fresh = _stat_studies(folder, 6 if quick else 20)
    rates: list[float] = []
    floors: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        settings = settings_in(Path(name))
        with _installation(settings) as records:
            remark("from C-STORE to verdict")
            sent = _warm_up(settings, records, paths[:4])
            rest = paths[4:]
            for _ in range(rounds):
                part, rest = rest[:images], rest[images:]
                floors.append(floor_rate("mobilenet_v2", image, 2.0 if quick else 5.0))
                began = time.perf_counter()
                send(settings.dicom_port, in_parts(part, 2))
                sent += len(part)
                _wait_until_scored(records, sent)
                rates.append(images / (time.perf_counter() - began))
            remark("stat studies beside a backlog")
            sender = threading.Thread(target=send, args=(settings.dicom_port, in_parts(rest, 2)))
            sender.start()
            wait_until(lambda: _backlog(records) > _BATCHES, "there is a backlog", 60)
            waits = _stat(settings, records, fresh)
            sender.join()
            _wait_until_scored(records, sent + len(rest) + len(waits))
    labels = _labels("mobilenet_v2", "uncompressed", "end to end")
    rows.append(Row(labels, "images/s", rates))
    rows.append(Row({**labels, "way": "floor on all cores"}, "images/s", floors))
    rows.append(Row({**labels, "way": "stat study beside a backlog"}, "s", waits))
    return {
        "end_to_end_per_s": rates,
        "end_to_end_vs_floor": paired(rates, floors),
        "stat_seconds_p95": [_p95(waits)],
    }


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.95 * (len(values) - 1)))]


def _studies(folder: Path, images: int) -> list[Path]:
    """Write studies of two images from last year, which are backlog."""
    remark("drawing phantoms")
    paths = []
    for number in range((images + 1) // 2):
        index = _PLAIN[number % len(_PLAIN)] + 4 * (number // len(_PLAIN))
        for view, ds in enumerate(small_study(index, 2, side=_SIDE), 1):
            paths.append(folder / f"{index:06d}.{view}.dcm")
            save(ds, paths[-1])
    return paths


def _stat_studies(folder: Path, count: int) -> list[tuple[Path, str]]:
    """Write studies of today, of one image each, and return their UIDs beside them."""
    found = []
    for index in range(count):
        (ds,) = small_study(4 * index, 1, seed=1000, side=_SIDE, now=dt.datetime.now())
        found.append((folder / f"stat-{index}.dcm", str(ds.StudyInstanceUID)))
        save(ds, found[-1][0])
    return found


def _stat(settings: Settings, records: Records, studies: Sequence[tuple[Path, str]]) -> list[float]:
    """Send studies of today while a backlog lasts, and return how long each verdict took."""
    found: list[float] = []
    for path, uid in studies:
        if _backlog(records) <= _BATCHES:
            break
        send(settings.dicom_port, [[path]])
        began = time.perf_counter()
        _wait_for_verdict(records, uid)
        found.append(time.perf_counter() - began)
    if len(found) < _LEAST_STAT:
        raise BenchmarkError("the backlog ended before the stat studies did: take more images")
    return found


def _backlog(records: Records) -> int:
    with records.read() as session:
        return tally(session).waiting


def _wait_for_verdict(records: Records, uid: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with records.read() as session:
            case = find_case(session, uid)
        if case is not None and case.images_scored:
            return
        time.sleep(0.02)
    raise BenchmarkError("a stat study was not screened")


@contextmanager
def _installation(settings: Settings) -> Iterator[Records]:
    logs = settings.data_dir.parent / "logs"
    logs.mkdir()
    supervisor = Supervisor(settings, remark, logs=logs)
    supervisor.start()
    records = Records(settings.records_url)
    try:
        yield records
    finally:
        records.close()
        supervisor.stop()
    if count(settings).waiting:
        raise BenchmarkError("images wait still")


def _warm_up(settings: Settings, records: Records, paths: Sequence[Path]) -> int:
    send(settings.dicom_port, [paths])
    _wait_until_scored(records, len(paths))
    return len(paths)


def _wait_until_scored(records: Records, images: int) -> None:
    def settled() -> bool:
        with records.read() as session:
            held = tally(session)
        return held.received == images and held.waiting == 0

    wait_until(settled, f"{images} images are screened", _PATIENCE_SECONDS)


def main() -> None:
    """Run the benchmark."""
    launch(command_line("screen", __doc__), measure)


if __name__ == "__main__":
    main()
