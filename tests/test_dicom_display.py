"""What a viewer is given gives the same picture as the worker's reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from phantoms.load import small_study
from phantoms.study import save
from screening.dicom.display import Display, Spacing, read_display
from screening.dicom.pixels import read_pixels
from screening.dicom.window import Window
from screening.errors import NoPixelDataError


def shown(display: Display) -> np.ndarray:
    """Do what the viewer's shader does."""
    values = display.words * display.slope + display.intercept
    if display.voi_lut is not None:
        brightness = display.voi_lut.of(values) / ((1 << display.voi_lut.bits) - 1)
    elif display.windows:
        brightness = display.windows[0][1].of(values)
    else:
        low, high = display.shown
        brightness = Window((low + high) / 2, max(high - low, 1), "LINEAR_EXACT").of(values)
    brightness = 1 - brightness if display.inverted else brightness
    if display.padding is not None:
        low, high = display.padding
        brightness[(display.words >= low) & (display.words <= high)] = 0
    return np.asarray(brightness)


def kept(tmp_path: Path, **elements: object) -> Path:
    (ds,) = small_study(1, 1, side=96)
    for name, value in elements.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    path = tmp_path / "image.dcm"
    save(ds, path)
    return path


def lut() -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.LUTData = (np.arange(4096) ** 2 // 4096).astype("<u2").tobytes()
    return Sequence([item])


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"RescaleSlope": "2.5", "RescaleIntercept": "-1000"},
        {"VOILUTFunction": "SIGMOID"},
        {"WindowCenter": None, "WindowWidth": None},
        {"VOILUTSequence": lut()},
        {"ModalityLUTSequence": lut()},
        {"PixelPaddingValue": 0},
        {"WindowCenter": ["2000", "1000"], "WindowWidth": ["3000", "500"]},
    ],
    ids=lambda elements: "+".join(elements) or "plain",
)
def test_it_shows_what_the_worker_reads(tmp_path: Path, elements: dict[str, object]) -> None:
    path = kept(tmp_path, **elements)
    display = read_display(path)
    assert display.words.dtype == np.dtype("<u2")
    np.testing.assert_allclose(shown(display), read_pixels(path), atol=1e-4)


def test_every_window_has_its_name(tmp_path: Path) -> None:
    path = kept(
        tmp_path,
        WindowCenter=["2000", "1000", "5"],
        WindowWidth=["3000", "500", "0"],
        WindowCenterWidthExplanation=["BONE"],
    )
    names = [(name, window.center) for name, window in read_display(path).windows]
    assert names == [("BONE", 2000.0), ("", 1000.0)]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"ImagerPixelSpacing": None}, None),
        ({"ImagerPixelSpacing": ["0.2", "0.1"]}, Spacing(0.2, 0.1, True)),
        ({"ImagerPixelSpacing": ["0", "0.1"]}, None),
        (
            {"ImagerPixelSpacing": ["0.2", "0.2"], "PixelSpacing": ["0.18", "0.18"]},
            Spacing(0.18, 0.18, False),
        ),
        (
            {"ImagerPixelSpacing": ["0.2", "0.2"], "PixelSpacing": ["0.2", "0.2"]},
            Spacing(0.2, 0.2, True),
        ),
        (
            {
                "ImagerPixelSpacing": None,
                "PixelSpacing": ["0.2", "0.2"],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            Spacing(0.2, 0.2, False),
        ),
    ],
)
def test_a_spacing_is_known_for_what_it_is(
    tmp_path: Path, elements: dict[str, object], expected: Spacing | None
) -> None:
    if "ImagerPixelSpacing" in elements and elements["ImagerPixelSpacing"] is None:
        elements = dict(elements)
        (ds,) = small_study(1, 1, side=96)
        if "ImagerPixelSpacing" not in ds:
            del elements["ImagerPixelSpacing"]
    assert read_display(kept(tmp_path, **elements)).spacing == expected


def test_without_pixels_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(NoPixelDataError):
        read_display(kept(tmp_path, PixelData=None))
