"""A reader is a process: whatever an image does to it, the next image is read."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
from conftest import wait_until
from reading_room import readers_for

from models.input_settings import InputSettings
from phantoms.load import small_study
from phantoms.study import save
from screening.domain.reason import Exclusion, Reason
from screening.settings import Settings
from worker.readers import Readers
from worker.reading import Desk, Excluded, Failed, Ready, Request

SMALL = InputSettings(size=64)
LARGE = InputSettings(size=128)


@pytest.fixture
def film(tmp_path: Path) -> Request:
    (ds,) = small_study(1, images=1)
    path = tmp_path / "film.dcm"
    save(ds, path)
    return Request(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID))


@pytest.fixture
def readers(settings: Settings) -> Iterator[Readers]:
    """Readers that a test may harm."""
    opened = Readers(settings.model_copy(update={"read_seconds": 2.0}), [SMALL])
    yield opened
    opened.close()


def process_of(readers: Readers) -> psutil.Process:
    (reader,) = readers._readers
    assert reader._process is not None
    return psutil.Process(reader._process.pid)


def test_what_comes_over_the_line_is_what_is_read_here(settings: Settings, film: Request) -> None:
    there = readers_for(settings, SMALL, LARGE).read(film).result()
    here = Desk([SMALL, LARGE], settings.minimum_age_years).read(film)
    assert isinstance(there, Ready)
    assert isinstance(here, Ready)
    assert there.quality == here.quality
    assert not there.reduced
    for one, other in ((there.image, here.image), (there.shadow, here.shadow)):
        assert one.tensor.equal(other.tensor)  # type: ignore[union-attr]
        assert (one.left, one.top, one.width, one.height) == (  # type: ignore[union-attr]
            other.left,  # type: ignore[union-attr]
            other.top,  # type: ignore[union-attr]
            other.width,  # type: ignore[union-attr]
            other.height,  # type: ignore[union-attr]
        )


def test_a_reason_and_a_failure_come_over_the_line(settings: Settings, tmp_path: Path) -> None:
    (ds,) = small_study(1, images=1)
    ds.PixelData = bytes(len(ds.PixelData))
    path = tmp_path / "blank.dcm"
    save(ds, path)
    readers = readers_for(settings, SMALL)
    blank = readers.read(Request(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID))).result()
    assert isinstance(blank, Excluded)
    assert blank.exclusion.reason is Reason.BLANK_OR_SATURATED
    assert blank.quality is not None
    assert blank.quality.black_share == 1
    gone = readers.read(Request(tmp_path / "none.dcm", "1.2", "1.2.3")).result()
    assert gone == Failed("FileNotFoundError while reading")


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGRTMIN + 6, "signal 40")]
)
def test_a_reader_that_is_killed_costs_its_image_an_attempt_and_no_other(
    readers: Readers, film: Request, number: int, name: str
) -> None:
    assert isinstance(readers.read(film).result(), Ready)
    process = process_of(readers)
    process.suspend()
    pending = readers.read(film)
    process.send_signal(number)
    process.resume()
    failed = pending.result()
    assert isinstance(failed, Failed)
    assert f"died of {name}" in failed.error
    assert failed.counts
    assert isinstance(readers.read(film).result(), Ready)


def test_a_reader_that_hangs_is_ended(readers: Readers, film: Request) -> None:
    assert isinstance(readers.read(film).result(), Ready)
    process = process_of(readers)
    process.suspend()
    failed = readers.read(film).result()
    assert isinstance(failed, Failed)
    assert "NIGHTREAD_READ_SECONDS" in failed.error
    assert not process.is_running()
    assert isinstance(readers.read(film).result(), Ready)


def test_a_reader_that_stops_in_mid_answer_is_ended(readers: Readers, film: Request) -> None:
    """Its line has a beginning to read, and never an end."""
    assert isinstance(readers.read(film).result(), Ready)
    (reader,) = readers._readers
    process = process_of(readers)
    process.suspend()
    assert reader._line is not None
    reader._line.close()
    reader._line, theirs = Pipe()
    # The length of a message, and its first byte.
    os.write(theirs.fileno(), struct.pack("!i", 5000) + b"{")
    began = time.monotonic()
    closing = threading.Timer(2.5, theirs.close)  # as the kernel does when the process is killed
    closing.start()
    failed = readers.read(film).result()
    closing.join()
    assert isinstance(failed, Failed)
    assert "NIGHTREAD_READ_SECONDS" in failed.error
    assert time.monotonic() - began < 20
    assert isinstance(readers.read(film).result(), Ready)


def test_an_image_that_asks_for_all_memory_fails_alone(
    settings: Settings, film: Request, tmp_path: Path
) -> None:
    (ds,) = small_study(1, images=1)
    side = 9_900  # 196 MB of words and 392 of brightness
    ds.Rows = ds.Columns = side
    ds.PixelData = b""
    path = tmp_path / "vast.dcm"
    save(ds, path)
    content = path.read_bytes()
    cut = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    with path.open("wb") as file:
        file.write(content[:cut] + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2 * side**2))
        file.truncate(file.tell() + 2 * side**2)
    limited = Readers(settings.model_copy(update={"read_gigabytes": 0.25}), [SMALL])
    try:
        uids = str(ds.SOPClassUID), str(ds.SOPInstanceUID)
        failed = limited.read(Request(path, *uids)).result()
        assert isinstance(failed, Failed), failed
        assert "NIGHTREAD_READ_GIGABYTES" in failed.error
        assert isinstance(limited.read(film).result(), Ready)
    finally:
        limited.close()


def test_a_header_that_promises_sixty_thousand_pixels_a_side_is_refused_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    (ds,) = small_study(1, images=1)
    ds.Rows = ds.Columns = 60_000
    path = tmp_path / "bomb.dcm"
    save(ds, path)
    readers = readers_for(settings, SMALL)
    found = readers.read(Request(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID))).result()
    assert isinstance(found, Excluded)
    assert found.exclusion.reason is Reason.CANNOT_DECODE


def test_where_no_reader_can_be_started_the_image_is_not_to_blame(
    settings: Settings, film: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    broken = Readers(settings, [SMALL])
    try:
        broken.warm_up()
        failed = broken.read(film).result()
        assert failed == Failed("no process to read images could be started", counts=False)
        monkeypatch.undo()
        assert isinstance(broken.read(film).result(), Ready)
    finally:
        broken.close()


def test_a_reader_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, pathlib, signal, time\n"
        "from models.input_settings import InputSettings\n"
        "from screening.settings import Settings\n"
        "from worker.reading import Request\n"
        "from worker.readers import Readers\n"
        "readers = Readers(Settings(), [InputSettings(size=64)])\n"
        "readers.read(Request(pathlib.Path('none'), '1', '2')).result()\n"
        "print(readers._readers[0]._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        reader = psutil.Process(int(parent.stdout.readline()))
        reader.suspend()  # as one that hangs in a decoder
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not reader.is_running(), 10, "the reader has ended")


def test_a_shadow_that_cannot_be_prepared_leaves_the_image_to_the_first(
    settings: Settings, film: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk([SMALL, LARGE], settings.minimum_age_years)

    def broken(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(desk, "_shadows", [broken])
    found = desk.read(film)
    assert isinstance(found, Ready)
    assert found.shadow == Exclusion(Reason.ERROR, "MemoryError")


def test_two_readers_read_at_the_same_time(settings: Settings, film: Request) -> None:
    pair = Readers(settings, [SMALL], count=2)
    try:
        readings = [pair.read(film) for _ in range(8)]
        assert all(isinstance(reading.result(), Ready) for reading in readings)
        assert len({reader._process.pid for reader in pair._readers if reader._process}) == 2
    finally:
        pair.close()


def test_what_is_being_read_at_the_close_comes_to_its_end(
    settings: Settings, film: Request
) -> None:
    readers = Readers(settings, [SMALL])
    reading = readers.read(film)
    time.sleep(0.1)
    readers.close()
    assert isinstance(reading.result(), Ready)
