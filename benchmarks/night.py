"""A whole night's path: from a PACS's list of studies to verdicts that are compared with it.

Orthanc, as it ships, holds studies of two images of 10 MB. A whole installation at its defaults
fetches a day of them by C-MOVE or by C-GET, screens it, asks Orthanc once more and finishes the
batch; in turns with as many studies that somebody pushes. *Fetched* is how fast they were here,
*finished* how fast all of it was done: what is far below the other is not what bounds the night.

vs_push: our studies an hour over those of studies that are pushed; 1 costs nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path

from benchmarks.apparatus.end_to_end import installation, wait_until_scored
from benchmarks.apparatus.installation import count, settings_in
from benchmarks.apparatus.pacs import orthanc_pacs
from benchmarks.apparatus.process import free_port, wait_until
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
from pacs.peer import Peer
from pacs.send import send as store
from pacs.survey import Part10File, survey
from phantoms.load import small_study
from phantoms.study import save
from screening.domain.night_batch import BatchState
from screening.records.engine import Records
from screening.records.night_batches import begin_batch, find_batch
from screening.records.night_tally import tally_batch
from screening.settings import Settings

_SIDE = 2236  # a square of 5 megapixels, 10 MB in words of 16 bits
_PLAIN = (0, 2, 3)
"""Of the anatomies of `small_study`, those that are no close call to the shipped classifier."""
_IMAGES = 2
_HOUR = 3600.0
_PATIENCE_SECONDS = 1800.0
_WAYS = ("move", "get", "push")
_FIRST = dt.datetime(2025, 1, 6, 21, 30)


def measure(options: argparse.Namespace) -> Report:
    """Let the ways take turns."""
    studies, repeats = (6, 2) if options.quick else (30, 3)
    fetched: dict[str, list[float]] = {way: [] for way in _WAYS}
    finished: dict[str, list[float]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name:
        folder, port = Path(name), free_port()
        settings = settings_in(folder, sources_file=_sources(folder, port))
        pacs = orthanc_pacs(folder / "pacs", port, settings.dicom_port)
        with pacs, installation(settings) as records:
            send(settings.dicom_port, [_draw(folder, 0, 2)])  # the first warms up
            wait_until_scored(records, 2 * _IMAGES)
            for turn in range(1, repeats * len(_WAYS) + 1):
                way = _WAYS[turn % len(_WAYS)]
                remark(f"turn {turn} of {repeats * len(_WAYS)}: {way}")
                paths = _draw(folder, turn, studies)
                if way == "push":
                    here, done = _push(settings, records, paths)
                else:
                    _fill(port, paths)
                    here, done = _fetch(records, way, turn, studies)
                fetched[way].append(studies * _HOUR / here)
                finished[way].append(studies * _HOUR / done)
                for path in paths:
                    path.unlink()
    rows = [
        Row({"way": way, "what": what}, "studies/h", found[way])
        for way in _WAYS
        for what, found in (("fetched", fetched), ("finished", finished))
    ]
    return Report(
        name="night",
        reading="vs_push: studies an hour over those of studies that are pushed; 1 costs nothing:",
        rows=rows,
        ratios={
            **{f"{way}_vs_push": paired(finished[way], finished["push"]) for way in _WAYS[:2]},
            **{f"{way}_fetched_vs_finished": paired(fetched[way], finished[way]) for way in _WAYS},
        },
        conditions={"sender": sender_name(), "study": "2 images, 2236 x 2236, 16 bits"},
    )


def _sources(folder: Path, port: int) -> Path:
    file = folder / "sources.toml"
    # Without a limit of studies in flight, to see what fetching takes by itself.
    file.write_text(
        "".join(
            f"[[source]]\nname='{way}'\nae_title='ORTHANC'\nhost='127.0.0.1'\nport={port}\n"
            f"retrieve='{way}'\nstudies_in_flight=10000\n"
            for way in ("move", "get")
        )
    )
    return file


def _draw(folder: Path, turn: int, studies: int) -> list[Path]:
    """Write the studies of a turn, each of which has a day of its own."""
    paths = []
    for number in range(studies):
        index = 1000 * turn + _PLAIN[number % len(_PLAIN)] + 4 * (number // len(_PLAIN))
        moment = _FIRST + dt.timedelta(days=turn)
        for view, ds in enumerate(small_study(index, _IMAGES, side=_SIDE, now=moment), 1):
            paths.append(folder / f"{index:06d}.{view}.dcm")
            save(ds, paths[-1])
    return paths


def _fill(port: int, paths: list[Path]) -> None:
    files = [each for each in survey(paths) if isinstance(each, Part10File)]
    peer = Peer("127.0.0.1", port, "ORTHANC", "MODALITY")
    if not all(sent.accepted for sent in store(files, peer)):
        raise BenchmarkError("the PACS did not take what it was to hold")


def _push(settings: Settings, records: Records, paths: list[Path]) -> tuple[float, float]:
    """Send studies, and return the seconds until all was here, and until all was screened."""
    before = count(settings).received
    began = time.perf_counter()
    send(settings.dicom_port, in_parts(paths, 2))
    here = time.perf_counter() - began
    wait_until_scored(records, before + len(paths))
    return here, time.perf_counter() - began


def _fetch(records: Records, source: str, turn: int, studies: int) -> tuple[float, float]:
    """Run a batch, and return the seconds until all was here, and until it was finished."""
    day = (_FIRST + dt.timedelta(days=turn)).date().isoformat()
    question = {"first_day": day, "last_day": day}
    began = time.perf_counter()
    with records.begin() as session:
        batch = begin_batch(session, source, question, dt.datetime.now(dt.UTC))
    assert batch is not None, "no schedule has begun it"
    here = [0.0]

    def ended() -> bool:
        with records.read() as session:
            tally = tally_batch(session, batch.row)
            found = find_batch(session, batch.row)
        if not here[0] and tally.here == studies * _IMAGES:
            here[0] = time.perf_counter() - began
        return found is not None and found.state is BatchState.FINISHED

    wait_until(ended, "the batch is finished", _PATIENCE_SECONDS)
    with records.read() as session:
        tally = tally_batch(session, batch.row)
    if tally.missing or tally.waiting or tally.failed or tally.planned != studies:
        raise BenchmarkError(f"the night is not complete: {tally}")
    return here[0], time.perf_counter() - began


def main() -> None:
    """Run the benchmark."""
    launch(command_line("night", __doc__), measure)


if __name__ == "__main__":
    main()
