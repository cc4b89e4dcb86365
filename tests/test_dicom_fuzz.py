"""Every file of the corpora, whole and damaged, gives a result or one of our errors, and soon."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from screening.dicom.eligibility import exclusion_of
from screening.dicom.header import read_header
from screening.dicom.pixels import read_pixels
from screening.dicom.quality import blank_or_saturated, measure_quality
from screening.errors import HeaderError, PixelError

SLOWEST_HEADER = 0.25
"""Seconds, fifty times what the slowest file of the corpora takes: a bound on surprises alone."""

SLOWEST_PIXELS = 10.0
"""Seconds; JPEG 2000 of the largest film takes 0.5."""


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("corpus", ["dicom", "dicom_fuzz"])
def test_headers(test_data: Path, corpus: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read = 0
    for path in files(test_data / corpus):
        started = time.perf_counter()
        with suppress(HeaderError):
            exclusion = exclusion_of(read_header(path), minimum_age_years=2.0)
            assert exclusion is None or str(exclusion)
            read += 1
        assert time.perf_counter() - started < SLOWEST_HEADER, path
    assert read > 100
    assert caplog.records == []


@pytest.mark.parametrize("corpus", ["dicom", "dicom_fuzz"])
def test_pixels(test_data: Path, corpus: str) -> None:
    read = 0
    for path in files(test_data / corpus):
        started = time.perf_counter()
        with suppress(PixelError):
            pixels = read_pixels(path)
            assert pixels.dtype == np.float32
            assert 0.0 <= pixels.min() <= pixels.max() <= 1.0
            blank_or_saturated(measure_quality(pixels))
            read += 1
        assert time.perf_counter() - started < SLOWEST_PIXELS, path
    assert read > 100


@pytest.mark.parametrize("encoding", ["RLE", "JPLL", "JLSL", "J2KI", "JPLY"])
def test_damaged_films(test_data: Path, tmp_path: Path, encoding: str) -> None:
    source = test_data / "dicom" / "dicom-test-files" / "data" / "WG04" / encoding
    content = (source / f"RG2_{encoding}").read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "image.dcm"
    for _ in range(3):
        damaged = bytearray(content)
        for position in random.integers(1200, len(content), 12):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged[: random.integers(2000, len(content))])
        try:
            pixels = read_pixels(path)
        except PixelError:
            continue
        assert pixels.shape == (2140, 1760)
