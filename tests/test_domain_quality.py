from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from screening.dicom.quality import measure_quality
from screening.domain.quality import Circumstances, Quality

GOOD = Quality(black_share=0.2, white_share=0.0, contrast=0.8, field_share=0.9, longer_side=2500)


def test_an_ordinary_film_has_no_doubts() -> None:
    assert Circumstances(GOOD, 0.02, 0.1, -3.0, 2.0).doubts() == ()


@pytest.mark.parametrize(
    ("quality", "circumstances", "words"),
    [
        ({"white_share": 0.2}, {}, "20% of its pixels are saturated white"),
        ({"contrast": 0.2}, {}, "low contrast"),
        ({"field_share": 0.1}, {}, "the field fills 10% of the frame"),
        ({"longer_side": 200}, {}, "small: 200 pixels"),
        ({}, {"view_spread": 0.4}, "its mirror image scores otherwise, by 0.40"),
        ({}, {"outside_share": 0.7}, "70% of the heat lies outside the anatomy"),
        ({}, {"strangeness": 1.5, "strangeness_limit": 2.0}, "nearly unlike"),
        ({}, {"strangeness": float("nan"), "strangeness_limit": 2.0}, "nearly unlike"),
    ],
)
def test_what_gives_a_score_less_weight_is_said(
    quality: dict[str, Any], circumstances: dict[str, Any], words: str
) -> None:
    (doubt,) = Circumstances(dataclasses.replace(GOOD, **quality), **circumstances).doubts()
    assert words in doubt


def test_a_collimated_film_is_measured() -> None:
    film = np.zeros((1000, 800), np.float32)
    film[250:750, 200:600] = np.linspace(0.2, 1.0, 400, dtype=np.float32)
    found = measure_quality(film)
    assert found.field_share == pytest.approx(0.25, abs=0.01)
    assert found.black_share == pytest.approx(0.75, abs=0.01)
    assert found.contrast == pytest.approx(1.0, abs=0.05)
    assert found.longer_side == 1000
    assert measure_quality(film, 4000).longer_side == 4000


def test_a_uniform_frame_has_no_field() -> None:
    assert measure_quality(np.full((50, 60), 0.5, np.float32)).field_share == 0
