"""A whole installation under load: sustained images a second, and a stat study beside a backlog."""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.apparatus.installation import count, settings_in
from benchmarks.apparatus.process import wait_until
from benchmarks.apparatus.report import BenchmarkError, Row, paired, remark
from benchmarks.apparatus.scoring import floor_rate
from benchmarks.apparatus.senders import in_parts, send
from nightread.supervisor import Supervisor
from phantoms.load import small_study
from phantoms.study import save
from screening.records.cases import find_case
from screening.records.engine import Records
from screening.records.tally import tally
from screening.settings import Settings

_SIDE = 2236  # a square of 5 megapixels, 10 MB in words of 16 bits
_PATIENCE_SECONDS = 600.0
_LEAST_STAT = 3
_PLAIN = (0, 2, 3)
"""Of the four anatomies of `small_study`, those that are no close call to the shipped classifier:
it reads close ones twice, which are one film in twenty of FracAtlas, and would be one in four."""
_BATCHES = 16  # images that are at work anyway: a batch in each of two processes


def measure_end_to_end(
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
        with installation(settings) as records:
            remark("from C-STORE to verdict")
            sent = _warm_up(settings, records, paths[:4])
            rest = paths[4:]
            for _ in range(rounds):
                part, rest = rest[:images], rest[images:]
                floors.append(floor_rate("mobilenet_v2", image, 2.0 if quick else 5.0))
                began = time.perf_counter()
                send(settings.dicom_port, in_parts(part, 2))
                sent += len(part)
                wait_until_scored(records, sent)
                rates.append(images / (time.perf_counter() - began))
            remark("stat studies beside a backlog")
            sender = threading.Thread(target=send, args=(settings.dicom_port, in_parts(rest, 2)))
            sender.start()
            wait_until(lambda: _backlog(records) > _BATCHES, "there is a backlog", 60)
            waits = _stat(settings, records, fresh)
            sender.join()
            wait_until_scored(records, sent + len(rest) + len(waits))
    labels = {"model": "mobilenet_v2", "transfer syntax": "uncompressed", "way": "end to end"}
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
def installation(settings: Settings) -> Iterator[Records]:
    """Run a whole installation, and require in the end that nothing waits."""
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
    wait_until_scored(records, len(paths))
    return len(paths)


def wait_until_scored(records: Records, images: int) -> None:
    """Wait until so many images have come and none waits."""

    def settled() -> bool:
        with records.read() as session:
            held = tally(session)
        return held.received == images and held.waiting == 0

    wait_until(settled, f"{images} images are screened", _PATIENCE_SECONDS)
