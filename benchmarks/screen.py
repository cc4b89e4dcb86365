"""From C-STORE to a verdict: the listener and the worker together, against the sum of their parts.

Studies of two DX phantoms of 0.5 MB come over consecutive associations, by DCMTK's storescu where
there is one. Three ways take turns, each on embedded defaults (Redis, SQLite) in a new folder:
*receive only*, the listener without a worker; *pipeline only*, worker.pipeline in this process over
what was received; *whole*, listener and worker as processes, until the last image has its score.

whole_vs_parts is the time of the two parts, one after the other, over that of the whole: at 1 the
whole costs what its parts cost, above 1 they overlap.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from sqlalchemy import select

from benchmarks.apparatus.installation import count, listening, settings_in
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
from benchmarks.apparatus.senders import send, sender_name
from models.classifier import Classifier, load_classifier
from nightread.supervisor import Supervisor
from phantoms.load import write_load
from screening.archive.archive import Archive
from screening.records.cases import tally
from screening.records.engine import Records
from screening.records.schema import StudyRow
from screening.settings import Settings
from worker.pipeline import Pipeline
from worker.tasks import threads_per_process

_SIDE = 500
_STUDY = 2
_ASSOCIATION = 20
_PATIENCE_SECONDS = 300.0


def measure(options: argparse.Namespace) -> Report:
    """Screen the same images in parts and as a whole, by turns."""
    images = 40 if options.quick else 200
    repeats = 2 if options.quick else 4
    received: list[float] = []
    scored: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as folder:
        remark("drawing phantoms")
        paths = write_load(Path(folder), (images + _STUDY) // _STUDY, _STUDY, side=_SIDE)
        for repeat in range(1, repeats + 1):
            remark(f"in parts and as a whole, {repeat} of {repeats}")
            with _fresh() as settings:
                received.append(_receive_only(settings, paths))
                scored.append(_pipeline_only(settings, len(paths)))
            with _fresh() as settings:
                whole.append(_whole(settings, paths))
    return _report(images, received, scored, whole)


def _report(
    images: int, received: Sequence[float], scored: Sequence[float], whole: Sequence[float]
) -> Report:
    parts = [one + other for one, other in zip(received, scored, strict=True)]
    rows = []
    for way, seconds in (
        ("receive only", received),
        ("pipeline only", scored),
        ("one after the other", parts),
        ("whole", whole),
    ):
        rows.append(Row({"way": way}, "images/s", [images / value for value in seconds]))
        share = [100 * value for value in paired(seconds, parts)]
        rows.append(Row({"way": way}, "% of the sum's time", share))
    return Report(
        name="screen",
        reading="The parts' time over the whole's; above 1 they overlap:",
        rows=rows,
        ratios={"whole_vs_parts": paired(parts, whole)},
        conditions={
            "sender": sender_name(),
            "images": f"{images} of {_SIDE} x {_SIDE}, 12 of 16 bits, {_STUDY} a study, "
            f"{_ASSOCIATION} an association",
        },
    )


@contextmanager
def _fresh() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as folder:
        yield settings_in(Path(folder))


def _receive_only(settings: Settings, paths: Sequence[Path]) -> float:
    with listening(settings):
        send(settings.dicom_port, [paths[:_STUDY]])
        seconds = _send_all(settings, paths[_STUDY:])
    held = count(settings)
    if held.received != len(paths) or held.waiting != len(paths):
        raise BenchmarkError(f"{len(paths)} images were sent and the records hold {held}")
    return seconds


def _send_all(settings: Settings, paths: Sequence[Path]) -> float:
    """Send images by consecutive associations, as many modalities do, and return the seconds."""
    began = time.perf_counter()
    for first in range(0, len(paths), _ASSOCIATION):
        send(settings.dicom_port, [paths[first : first + _ASSOCIATION]])
    return time.perf_counter() - began


def _pipeline_only(settings: Settings, images: int) -> float:
    """Screen what waits in this process, as one of the worker's would."""
    torch.set_num_threads(threads_per_process(settings))
    classifier: Classifier = load_classifier(settings.model)
    records = Records(settings.records_url)
    try:
        archive = Archive(settings.archive_dir)
        pipeline = Pipeline(settings, records, archive, classifier, "benchmark")
        with records.read() as session:
            first, *studies = session.scalars(select(StudyRow.id).order_by(StudyRow.id)).all()
        pipeline.screen(first)
        began = time.perf_counter()
        for study in studies:
            pipeline.screen(study)
        seconds = time.perf_counter() - began
    finally:
        records.close()
    _require_scored(settings, images)
    return seconds


def _whole(settings: Settings, paths: Sequence[Path]) -> float:
    """Send to listener and worker, and return the seconds until the last image is scored."""
    logs = settings.data_dir.parent / "logs"
    logs.mkdir()
    supervisor = Supervisor(settings, remark, logs=logs)
    supervisor.start()
    records = Records(settings.records_url)
    try:
        send(settings.dicom_port, [paths[:_STUDY]])
        _wait_until_scored(records, _STUDY)
        began = time.perf_counter()
        _send_all(settings, paths[_STUDY:])
        _wait_until_scored(records, len(paths))
        seconds = time.perf_counter() - began
    finally:
        records.close()
        supervisor.stop()
    _require_scored(settings, len(paths))
    return seconds


def _wait_until_scored(records: Records, images: int) -> None:
    def settled() -> bool:
        with records.read() as session:
            held = tally(session)
        return held.received == images and held.waiting == 0

    wait_until(settled, f"{images} images are screened", _PATIENCE_SECONDS)


def _require_scored(settings: Settings, images: int) -> None:
    held = count(settings)
    if held.scored != images or held.received != images:
        raise BenchmarkError(f"{images} images were sent and the records hold {held}")


def main() -> None:
    """Run the benchmark."""
    launch(command_line("screen", __doc__), measure)


if __name__ == "__main__":
    main()
