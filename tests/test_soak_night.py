"""A whole night and a large folder, for ``make soak``: nothing is lost, and memory is flat."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import require, wait_until
from console import environment
from hospital import Hospital
from installation import Installation
from test_night_batches import DAY

from phantoms.load import write_load
from screening.domain.night import night_of
from screening.queue.embedded import EmbeddedRedis
from screening.records.batch_files import count_files
from screening.records.night_tally import is_complete, tally_batch
from screening.settings import Settings
from worklist.night_report import read_night

STUDIES = 2000
FILES = 20_000
JUNK_EVERY = 20


@pytest.fixture(params=["move", "get"])
def hospital(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: Settings,
    embedded_redis: EmbeddedRedis,
) -> Iterator[Hospital]:
    # A small disk of its own for the archive, which one can fill.
    settings.archive_dir.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "none", str(settings.archive_dir)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    require(mounted, "no disk can be mounted here: run it as root")
    # A kill counts as an attempt at each image that was claimed; here there are several.
    patient = settings.model_copy(update={"maximum_attempts": 20, "worker_processes": 2})
    made = Hospital(tmp_path, patient, request.param)
    yield made
    made.close()
    subprocess.run(["umount", str(settings.archive_dir)], check=True)


@pytest.mark.soak
def test_a_night_of_two_thousand_studies_adds_up_to_the_count_of_the_pacs(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.fill(write_load(tmp_path / "films", STUDIES, 1, side=96))
    hospital.open()
    began = time.monotonic()
    assert hospital.console("batch", "start", "--from", DAY)[0] == 0
    strikes = ("night", "orthanc", "listen", "disk", "work", "orthanc")
    for number, victim in enumerate(strikes, 1):
        came = STUDIES * number // (len(strikes) + 1)
        wait_until(lambda came=came: hospital.batch()[1].here > came, 900, f"{came} came")  # type: ignore[misc]
        if victim == "orthanc":
            hospital.lose_power()
        elif victim == "disk":
            hospital.fill_the_disk(seconds=10)
        else:
            hospital.installation.kill(victim)
            hospital.installation.start(victim)
    tally = hospital.wait_until_ended(seconds=1800)
    print(f"{STUDIES} studies in {time.monotonic() - began:.0f} s: {tally}")
    counts = hospital.orthanc.call("/statistics")
    assert tally.expected == tally.here == counts["CountInstances"] == STUDIES
    assert tally.planned == counts["CountStudies"] == STUDIES
    assert is_complete(hospital.batch()[0], tally)
    hospital.installation.assert_scored_once(STUDIES)
    now = dt.datetime.now(dt.UTC)
    report = read_night(hospital.installation.records, night_of(now), now)
    assert report.is_complete, report.open_ends
    assert report.images.scored + report.images.not_scored == STUDIES


@pytest.mark.soak
def test_twenty_thousand_files_with_junk_are_screened_with_one_command(
    settings: Settings, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    films = write_load(folder, FILES * (JUNK_EVERY - 1) // JUNK_EVERY, 1, side=64)
    rng = random.Random(5)
    junk = FILES // JUNK_EVERY
    copies = 0
    for number in range(junk):
        path = folder / f"{number % 700:06d}" / f"junk-{number}"
        kind = number % 4
        if kind == 0:
            path.write_text("a note")
        elif kind == 1:
            path.write_bytes(rng.randbytes(2000))
        elif kind == 2:
            path.write_bytes(bytes(128) + b"DICM" + rng.randbytes(500))
        else:
            shutil.copy(rng.choice(films), path)
            copies += 1
    installation = Installation(settings.model_copy(update={"worker_processes": 2}))
    for command in ("listen", "work"):
        installation.start(command)
    wait_until(installation.listens, 30, "the door answers")
    names = ("data_dir", "dicom_port")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nightread", "batch", "folder", str(folder)],
        cwd=tmp_path,
        env=environment(**{name: getattr(settings, name) for name in names}),
    )
    began, peaks = time.monotonic(), []
    while process.poll() is None:
        try:
            peaks.append(psutil.Process(process.pid).memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        time.sleep(2)
        assert time.monotonic() - began < 3600
    assert process.wait() == 1, "some files may hold images that nobody can read"
    with installation.records.read() as session:
        files, tally = count_files(session, 1), tally_batch(session, 1)
    installation.stop()
    early = max(peaks[: len(peaks) // 4])
    print(
        f"{FILES} files in {time.monotonic() - began:.0f} s: {files}; {tally}; "
        f"{early:.0f} MB in the first quarter, {max(peaks):.0f} MB at the most"
    )
    assert (files.looked_at, files.repeated) == (FILES, copies)
    assert files.came == len(films) + copies
    assert sum(files.left_out.values()) == junk - copies
    assert tally.received == len(films)
    assert (tally.waiting, tally.missing) == (0, 0)
    assert max(peaks) < 1.3 * early, "memory is flat"
