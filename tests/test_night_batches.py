"""A batch against Orthanc: all that it has comes, is screened and compared, whatever fails."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from hospital import Hospital
from pydicom import dcmread

from phantoms.load import small_study, write_load
from phantoms.study import save
from screening.archive.folder_archive import FolderArchive
from screening.domain.night_batch import BatchState, FetchState
from screening.queue.embedded import EmbeddedRedis
from screening.records.ledger import read_ledger
from screening.records.night_studies import exceptions_of
from screening.records.night_tally import is_complete
from screening.settings import Settings

STUDIES, IMAGES = 18, 2
DAY = "2025-01-06"


@pytest.fixture
def hospital(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: Settings,
    embedded_redis: EmbeddedRedis,
) -> Iterator[Hospital]:
    made = Hospital(tmp_path, settings, getattr(request, "param", "move"))
    yield made
    made.close()


@pytest.mark.parametrize("hospital", ["move", "get"], indirect=True)
def test_all_that_the_pacs_has_is_fetched_screened_and_compared_whatever_fails(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.fill(write_load(tmp_path / "films", STUDIES, IMAGES, side=96))
    hospital.open()
    assert hospital.console("batch", "start", "--from", DAY)[0] == 0
    for strike, victim in enumerate(("night", "orthanc", "listen", "night", "work")):
        came = STUDIES * IMAGES * strike // 6
        wait_until(lambda came=came: hospital.batch()[1].here > came, 90, f"more than {came} came")  # type: ignore[misc]
        if victim == "orthanc":
            hospital.lose_power()
        else:
            hospital.installation.kill(victim)
            hospital.installation.start(victim)
    tally = hospital.wait_until_ended()
    pacs = hospital.orthanc.call("/statistics")
    assert tally.expected == tally.here == pacs["CountInstances"] == STUDIES * IMAGES
    assert tally.planned == pacs["CountStudies"] == STUDIES
    assert (tally.received, tally.waiting, tally.missing) == (STUDIES * IMAGES, 0, 0)
    assert is_complete(hospital.batch()[0], tally)
    hospital.installation.assert_scored_once(STUDIES * IMAGES)
    code, shown, _ = hospital.console("batch", "show", 1)
    assert code == 0
    assert shown.rstrip().endswith("complete")


def test_what_the_pacs_cannot_send_is_named_and_what_grows_is_fetched(
    hospital: Hospital, tmp_path: Path
) -> None:
    films = write_load(tmp_path / "films", 3, IMAGES, side=96)
    hospital.fill(films[:-1])
    lost = hospital.lose_the_file_of(films[0])
    hospital.open("listen")
    runner = hospital.runner()
    hospital.begin(first_day=DAY, last_day=DAY)
    hospital.run_until(runner, lambda: hospital.batch()[1].settled == 3, screening=False)
    hospital.fill(films[-1:])
    hospital.run_until(runner, lambda: hospital.batch()[0].state is BatchState.FINISHED)
    tally = hospital.batch()[1]
    assert (tally.expected, tally.here, tally.missing) == (6, 5, 1)
    assert tally.studies == {FetchState.FETCHED: 2, FetchState.FAILED: 1}
    with hospital.installation.records.read() as session:
        (exception,) = exceptions_of(session, 1)
    assert exception.missing == (lost,)
    code, shown, _ = hospital.console("batch", "show", 1)
    assert (code, lost in shown) == (1, True)
    assert "NOT complete" in shown
    told = json.loads(hospital.console("batch", "show", 1, "--json")[1])
    assert told["exceptions"][0]["missing"] == [lost]
    assert told["counts"]["complete"] is False


@pytest.mark.parametrize("hospital", ["web"], indirect=True)
def test_a_dicomweb_server_is_asked_and_fetched_from_as_well(
    hospital: Hospital, tmp_path: Path
) -> None:
    films = write_load(tmp_path / "films", 5, IMAGES, side=96)
    hospital.fill(films)
    hospital.lose_the_file_of(films[0])
    hospital.open("listen")
    hospital.installation.send(films[-1:])
    runner = hospital.runner()
    hospital.begin(first_day=DAY, last_day=DAY)
    hospital.run_until(runner, lambda: hospital.batch()[0].state is BatchState.FINISHED)
    tally = hospital.batch()[1]
    # A server of this kind cannot even say what there is where a file is lost.
    assert (tally.planned, tally.here) == (5, 8)
    with hospital.installation.records.read() as session:
        (exception,) = exceptions_of(session, 1)
        answers = read_ledger(session, dt.datetime.now(dt.UTC)).answers
    assert exception.last_error == "the DICOMweb server answers 500"
    assert answers.conflicts == 0, "an image is the same by whichever way it comes"
    hospital.orthanc.kill()
    hospital.begin(first_day=DAY, last_day=DAY)
    runner.step()
    assert "does not answer" in (hospital.batch(2)[0].last_error or "")


@pytest.mark.parametrize("hospital", ["get"], indirect=True)
def test_what_came_before_a_failure_is_kept_and_a_replaced_image_is_found(
    hospital: Hospital, tmp_path: Path
) -> None:
    films = write_load(tmp_path / "films", 1, 3, side=96)
    hospital.fill(films)
    lost = hospital.lose_the_file_of(films[0])
    (other,) = write_load(tmp_path / "other", 1, 1, side=96, seed=8)
    hospital.open("listen")
    # Of the same series, and not at the PACS: as many are here as the PACS has.
    ds, first = dcmread(other), dcmread(films[0], stop_before_pixels=True)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
    ds.save_as(other)
    hospital.installation.send([other])
    runner = hospital.runner()
    hospital.begin(first_day=DAY, last_day=DAY)
    hospital.run_until(runner, lambda: hospital.batch()[0].state is BatchState.FINISHED)
    tally = hospital.batch()[1]
    assert (tally.expected, tally.here, tally.missing) == (3, 2, 1)
    with hospital.installation.records.read() as session:
        (exception,) = exceptions_of(session, 1)
    assert exception.missing == (lost,)


def test_what_is_here_is_not_fetched_again(hospital: Hospital, tmp_path: Path) -> None:
    films = write_load(tmp_path / "films", 2, IMAGES, side=96)
    hospital.fill(films)
    hospital.open("listen")
    hospital.installation.send(films[:IMAGES])
    runner = hospital.runner()
    for number in (1, 2):
        hospital.begin(first_day=DAY, last_day=DAY)
        hospital.run_until(
            runner,
            lambda number=number: hospital.batch(number)[0].state is BatchState.FINISHED,  # type: ignore[misc]
        )
    assert hospital.batch(1)[1].studies == {FetchState.HELD: 1, FetchState.FETCHED: 1}
    assert hospital.batch(2)[1].studies == {FetchState.HELD: 2}
    with hospital.installation.records.read() as session:
        answers = read_ledger(session, dt.datetime.now(dt.UTC)).answers
    assert (answers.stored, answers.duplicates) == (4, 0)


@pytest.mark.parametrize(
    ("question", "studies"),
    [
        ({"accession_numbers": ["PHANTOM-L000001", "NONE"]}, 1),
        ({"first_day": "2025-01-01", "last_day": DAY, "body_parts": ["hand", "KNEE"]}, 2),
        ({"first_day": DAY, "last_day": DAY, "modalities": ["CR"]}, 0),
        ({"first_day": "2025-01-07", "last_day": "2025-01-09"}, 0),
    ],
)
def test_a_batch_is_what_was_asked_for(
    hospital: Hospital, tmp_path: Path, question: dict[str, Any], studies: int
) -> None:
    hospital.fill(write_load(tmp_path / "films", 4, 1, side=96))
    hospital.open("listen")
    runner = hospital.runner()
    hospital.begin(**question)
    hospital.run_until(runner, lambda: hospital.batch()[0].state is BatchState.FINISHED)
    assert hospital.batch()[1].here == studies
    with hospital.installation.records.read() as session:
        unknown = [each.accession_number for each in exceptions_of(session, 1)]
    assert unknown == (["NONE"] if "accession_numbers" in question else [])


def test_it_waits_for_stat_images_for_room_and_for_its_hours(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.fill(write_load(tmp_path / "films", 2, 1, side=96))
    hospital.open("listen")
    runner = hospital.runner()
    hospital.begin(first_day=DAY, last_day=DAY)
    (stat,) = small_study(77, 1, now=dt.datetime.now())
    save(stat, tmp_path / "stat.dcm")
    hospital.installation.send([tmp_path / "stat.dcm"])
    runner.step()
    runner.step()
    batch, tally = hospital.batch()
    assert (batch.last_error, tally.here) == ("stat images are read first", 0)
    hospital.screen()
    full = FolderArchive(hospital.settings.archive_dir, minimum_free_bytes=10**18)
    hospital.run_until(hospital.runner(archive=full), lambda: hospital.waits_for("GB free"))
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    hospital.set_hours(f"{later:%H:%M}", f"{later + dt.timedelta(hours=1):%H:%M}")
    hospital.run_until(hospital.runner(), lambda: hospital.waits_for("outside the hours"))
    assert hospital.batch()[1].here == 0


def test_one_can_pause_resume_and_cancel_a_batch(hospital: Hospital, tmp_path: Path) -> None:
    hospital.fill(write_load(tmp_path / "films", 2, 1, side=96))
    hospital.open("listen")
    runner = hospital.runner()
    number = hospital.begin(first_day=DAY, last_day=DAY)
    assert hospital.console("batch", "pause", number)[0] == 0
    assert not runner.step()
    assert hospital.console("batch", "resume", number)[0] == 0
    runner.step()
    runner.step()
    assert hospital.console("batch", "cancel", number)[0] == 0
    assert not runner.step()
    batch, tally = hospital.batch()
    assert (batch.state, tally.planned) == (BatchState.CANCELLED, 2)
    assert not is_complete(batch, tally)
    code, _, said = hospital.console("batch", "resume", number)
    assert (code, "cannot become running" in said) == (1, True)
    code, _, said = hospital.console("batch", "show", 7)
    assert (code, "no batch 7" in said) == (1, True)
    assert "cancelled" in hospital.console("batch", "list")[1]


def test_what_cannot_be_begun_is_said(hospital: Hospital, tmp_path: Path) -> None:
    for arguments, why in (
        (["--source", "other", "--from", DAY], "no source other"),
        ([], "days or accession numbers"),
        (["--from", DAY, "--to", "2025-01-01"], "before the first"),
        (["--accession", "A*"], "accession_numbers"),
        (["--accessions", tmp_path], "Is a directory"),
    ):
        code, _, said = hospital.console("batch", "start", *arguments)
        assert (code, why in said) == (1, True), said
    file = tmp_path / "list.csv"
    file.write_text("PHANTOM-L000000,somebody\n\nPHANTOM-L000001\n")
    code, _, said = hospital.console("batch", "start", "--accessions", file)
    assert (code, "batch 1 has begun" in said) == (0, True)
    assert hospital.batch()[0].question["accession_numbers"] == [
        "PHANTOM-L000000",
        "PHANTOM-L000001",
    ]
