"""An image that crashes, hangs or asks for all memory costs the desk nothing but that image."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phantoms.load import small_study
from phantoms.study import save
from screening.archive.incoming_file import content_digest
from screening.dicom.part10 import data_set_offset
from screening.errors import PixelError
from worklist.frames import Frames


@pytest.fixture
def frames() -> Iterator[Frames]:
    made = Frames(20.0, 1_000_000_000)
    yield made
    made.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return a film that is named by its content, as the archive names it."""
    (ds,) = small_study(1, 1)
    path = tmp_path / "film.dcm"
    save(ds, path)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    digest = content_digest(path, offset=data_set_offset(path), transfer_syntax_uid=syntax)
    return path.rename(tmp_path / f"{digest}.dcm")


def test_a_decoder_that_crashes_is_said_and_the_next_image_is_shown(
    frames: Frames, film: Path
) -> None:
    with pytest.raises(PixelError, match="crashed"):
        frames._run(os._exit, 3)
    assert frames.picture(film, 64).startswith(b"\x89PNG")


def test_a_decoder_that_hangs_is_ended(film: Path) -> None:
    frames = Frames(20.0, 1_000_000_000)
    frames.picture(film, 64)
    frames._decoders._seconds = 0.5
    began = time.monotonic()
    with pytest.raises(PixelError, match="NIGHTREAD_READ_SECONDS"):
        frames._run(time.sleep, 60)
    assert time.monotonic() - began < 10
    frames._decoders._seconds = 20.0
    assert frames.picture(film, 64)
    frames.close()


def test_memory_is_limited(frames: Frames, film: Path) -> None:
    with pytest.raises(PixelError, match="NIGHTREAD_READ_GIGABYTES"):
        frames._run(bytearray, 3_000_000_000)
    assert frames.frame(film)


def test_a_neighbour_of_a_crash_is_shown_all_the_same(frames: Frames, film: Path) -> None:
    frames.picture(film, 64)

    def crash() -> None:
        with pytest.raises(PixelError):
            frames._run(os._exit, 3)

    with ThreadPoolExecutor(4) as pool:
        crashes = [pool.submit(crash) for _ in range(2)]
        shown = [pool.submit(frames.picture, film, 64) for _ in range(2)]
        for future in crashes:
            future.result()
        assert all(future.result().startswith(b"\x89PNG") for future in shown)


def test_the_processes_are_there_before_the_first_image(frames: Frames) -> None:
    frames.warm_up()
    assert frames._decoders._pool is not None
    assert len(frames._decoders._pool._processes) == 2


def test_a_frame_is_decoded_once(
    frames: Frames, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = frames.frame(film)
    monkeypatch.setattr(Frames, "_run", lambda *_: pytest.fail("it was decoded again"))
    assert frames.frame(film) is first


def test_what_is_no_image_says_so(frames: Frames, tmp_path: Path) -> None:
    path = tmp_path / "text.dcm"
    path.write_text("nothing of DICOM")
    with pytest.raises(PixelError):
        frames.frame(path)
    with pytest.raises(PixelError, match="not in the archive"):
        frames.picture(tmp_path / "gone.dcm", 64)
