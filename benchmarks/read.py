"""From a file to a network's input, one thread: ours against the usual way.

Ours is screening.dicom.pixels.read_pixels and the preparation of the shipped bundle. The usual way
is pydicom's dcmread, apply_modality_lut and apply_voi_lut, an inversion in float64, and MONAI's
Resize and ScaleIntensity; it does less, as it neither looks for padding nor stretches the contrast
between percentiles. Both read the same phantom, a DX image of 16 bits in MONOCHROME1.

A ratio is the usual way's time over ours: above 1 ours is faster.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.intensity.array import ScaleIntensity
from monai.transforms.spatial.array import Resize
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from models.classifier import Classifier, load_classifier
from models.transforms import PreparedImage
from phantoms.film import Film, codes_of
from phantoms.radiograph import make_phantom
from phantoms.study import Patient, View, Visit, image, save
from phantoms.transfer import can_write, transcode
from screening.dicom.pixels import read_pixels

_SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpegls": JPEGLSLossless,
    "jpeg2000": JPEG2000Lossless,
}
_BY_DCMTK = "jpeglossless"
"""JPEG Lossless SV1, the usual compression of CR and DX, is written by DCMTK's dcmcjpeg."""

_FILM = Film("DX", "MONOCHROME1", 16)
# Of the two ways' inputs; they differ by the contrast between percentiles and by the filter.
_LEAST_CORRELATION = 0.97


class NaiveReader:
    """The usual way from a file to a network's input.

    Parameters
    ----------
    size
        The longest side of the input, in pixels.
    """

    def __init__(self, size: int) -> None:
        self._fit = Compose([Resize(size, size_mode="longest"), ScaleIntensity()])

    def __call__(self, path: Path) -> torch.Tensor:
        """Return float32 (1, h, w) in [0, 1]."""
        ds = dcmread(path)
        shown = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds).astype(np.float64)
        if ds.PhotometricInterpretation == "MONOCHROME1":
            shown = shown.max() - shown
        fitted: torch.Tensor = self._fit(shown[np.newaxis])
        return fitted


class OwnReader:
    """Our way from a file to the network's input."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def __call__(self, path: Path) -> PreparedImage:
        """Return the prepared image."""
        return self._classifier.prepare(read_pixels(path))


def write_images(folder: Path, rows: int, columns: int) -> dict[str, Path | None]:
    """Write one phantom in every transfer syntax; ``None`` where its encoder is not installed."""
    visit = Visit(
        Patient("PHANTOM^HAND", "PHANTOM"), "benchmark", "1", "PHANTOM", dt.datetime.now()
    )
    codes = codes_of(make_phantom(7, "HAND", "PA", rows=rows, columns=columns), _FILM)
    written = {
        name: _write(folder / f"{name}.dcm", visit, codes, syntax)
        for name, syntax in _SYNTAXES.items()
    }
    source = written["uncompressed"]
    assert source is not None
    return written | {_BY_DCMTK: _write_by_dcmtk(folder / f"{_BY_DCMTK}.dcm", source)}


def _write(path: Path, visit: Visit, codes: NDArray[np.uint16], syntax: UID) -> Path | None:
    if not can_write(syntax):
        return None
    ds = image(visit, 1, View("HAND", "L", "PA"), _FILM, codes)
    transcode(ds, syntax)
    save(ds, path)
    return path


def _write_by_dcmtk(path: Path, source: Path) -> Path | None:
    if shutil.which("dcmcjpeg") is None:
        return None
    subprocess.run(["dcmcjpeg", source, path], check=True)
    return path


def measure(options: argparse.Namespace) -> Report:
    """Read every file in both ways by turns."""
    # One thread: a worker has as many processes as the machine has cores to spare.
    torch.set_num_threads(1)
    repeats = options.repeats or (5 if options.quick else 15)
    classifier = load_classifier("mobilenet_v2")
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as folder:
        images = write_images(Path(folder), options.rows, options.columns)
        naive, ours = NaiveReader(_input_size(classifier)), OwnReader(classifier)
        for syntax, path in images.items():
            naive_ms: list[float] = []
            our_ms: list[float] = []
            if path is not None:
                remark(f"reading {syntax}")
                _require_same(syntax, path, images["uncompressed"], naive, ours)
                for _ in range(repeats):
                    naive_ms.append(_milliseconds(naive, path))
                    our_ms.append(_milliseconds(ours, path))
                ratios[f"read_{syntax}_vs_naive"] = paired(naive_ms, our_ms)
            rows.append(Row({"transfer syntax": syntax, "way": "ours"}, "ms", our_ms))
            rows.append(Row({"transfer syntax": syntax, "way": "naive"}, "ms", naive_ms))
    return Report(
        name="read",
        reading="The usual way's time over ours; above 1 ours is faster:",
        rows=rows,
        ratios=ratios,
        conditions={"image": f"{options.rows} x {options.columns}, 16 bits", "threads": "1"},
    )


def _input_size(classifier: Classifier) -> int:
    """Return the side of the square that the network sees."""
    return int(classifier.prepare(np.eye(64, dtype=np.float32)).tensor.shape[-1])


def _require_same(
    syntax: str, path: Path, plain: Path | None, naive: NaiveReader, ours: OwnReader
) -> None:
    """Refuse to compare two ways that do not read the same picture; it warms both up as well."""
    assert plain is not None
    if not np.array_equal(read_pixels(path), read_pixels(plain)):
        raise BenchmarkError(f"{syntax} does not give the pixels that it was made of")
    prepared, other = ours(path), naive(path)[0]
    top, left = prepared.top, prepared.left
    own = prepared.tensor[0, top : top + prepared.height, left : left + prepared.width]
    if own.shape != other.shape:
        raise BenchmarkError(f"{syntax}: ours gives {own.shape}, the usual way {other.shape}")
    alike = float(np.corrcoef(own.flatten(), other.flatten())[0, 1])
    if not alike > _LEAST_CORRELATION:
        raise BenchmarkError(f"{syntax}: the two ways' inputs correlate by {alike:.3f} only")


def _milliseconds(way: Callable[[Path], object], path: Path) -> float:
    began = time.perf_counter()
    way(path)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Run the benchmark."""
    parser = command_line("read", __doc__)
    parser.add_argument("--rows", type=int, default=2500, help="of the image (2500)")
    parser.add_argument("--columns", type=int, default=2000, help="of the image (2000)")
    parser.add_argument("--repeats", type=int, default=0, help="of each way (15, or 5 if quick)")
    launch(parser, measure)


if __name__ == "__main__":
    main()
