from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from nightread.wrap import Particulars, find_pictures, wrap_pictures


def test_two_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for number, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(number).integers(0, 255, (80, 70), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "hand.png")
    pictures = find_pictures([tmp_path / "one", tmp_path / "two"])
    wrapped = list(wrap_pictures(pictures, tmp_path / "out", Particulars()))
    assert [item.target is not None for item in wrapped] == [True, False]
    assert "another --out" in wrapped[1].why
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1


def test_a_picture_that_ends_early_is_refused_and_not_called_clear(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (300, 200), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "broken.jpg").write_bytes(content[: len(content) // 2])
    pictures = find_pictures([tmp_path])
    broken, whole = wrap_pictures(pictures, tmp_path / "out", Particulars())
    assert broken.target is None
    assert "ends early" in broken.why
    assert whole.target is not None
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1
