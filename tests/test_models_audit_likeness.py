from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_sets import film, unlike
from PIL import Image, ImageEnhance, ImageOps

from models.audit.film import read_film
from models.audit.likeness import Likeness, Pairs, find_likenesses, likeness
from models.audit.signature import FREQUENCIES, RINGS, signature
from screening.errors import TrainingError


def spectrum(picture: Image.Image) -> np.ndarray:
    return signature(np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR)))


def pairs(*pictures: Image.Image, similar: float = 0.9) -> Pairs:
    return find_likenesses(np.stack([spectrum(picture) for picture in pictures]), similar=similar)


def only(found: Pairs) -> Likeness:
    assert len(found) == 1
    return likeness(found[0])


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def test_a_signature_has_norm_one() -> None:
    found = spectrum(film(1))
    assert found.shape == (RINGS, FREQUENCIES)
    assert found.dtype == np.complex64
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_each_of_the_eight_orientations_is_found_and_named(degrees: int, mirrored: bool) -> None:
    original = film(3)
    copy = ImageOps.mirror(original) if mirrored else original
    pair = only(pairs(original, copy.rotate(-degrees)))
    assert pair.similarity > 0.999
    assert pair.mirrored is mirrored
    assert pair.degrees == pytest.approx(degrees, abs=2) or degrees == 0
    names = {
        (0, False): "the same way up",
        (0, True): "mirrored",
        (90, False): "turned by 90°",
        (270, True): "mirrored and turned by 270°",
    }
    assert pair.orientation == names.get((degrees, mirrored), pair.orientation)
    assert pair.upright is (degrees == 0 and not mirrored)


@settings(max_examples=30, deadline=None)
@given(degrees=st.integers(0, 359), mirrored=st.booleans(), seed=st.integers(0, 50))
def test_any_angle_is_found_and_read_off(degrees: int, mirrored: bool, seed: int) -> None:
    original = film(seed)
    copy = ImageOps.mirror(original) if mirrored else original
    copy = copy.rotate(-degrees, Image.Resampling.BICUBIC)
    pair = only(pairs(original, copy))
    assert pair.mirrored is mirrored
    assert abs((pair.degrees - degrees + 180) % 360 - 180) < 3


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: jpeg(picture, 15),
        lambda picture: picture.resize((97, 97), Image.Resampling.LANCZOS),
        lambda picture: picture.resize((480, 480), Image.Resampling.BICUBIC),
        lambda picture: picture.resize((200, 300), Image.Resampling.BICUBIC),
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
        lambda picture: jpeg(picture.transpose(Image.Transpose.ROTATE_90), 40),
    ],
    ids="jpeg smaller larger stretched brighter flatter turned_and_jpeg".split(),  # noqa: SIM905
)
def test_what_happens_to_copies_does_not_hide_them(
    change: Callable[[Image.Image], Image.Image],
) -> None:
    for seed in range(8):
        assert len(pairs(film(seed), change(film(seed)))) == 1


def test_different_films_are_no_copies() -> None:
    assert len(pairs(*unlike(60))) == 0


def test_blocks_and_chunks_lose_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [copy for one in unlike(12) for copy in (one, one.rotate(90), ImageOps.flip(one))]
    whole = pairs(*pictures)
    for name, size in {"_ROWS": 5, "_COLUMNS": 7, "_CHUNK": 2}.items():
        monkeypatch.setattr(f"models.audit.likeness.{name}", size)
    steps: list[tuple[int, int]] = []
    spectra = np.stack([spectrum(picture) for picture in pictures])
    parts = find_likenesses(spectra, on_step=lambda *step: steps.append(step))
    assert np.array_equal(parts[["first", "second"]], whole[["first", "second"]])
    assert len(whole) == 12 * 3
    assert steps[-1] == (36, 36)


def test_a_film_with_nothing_to_see_is_like_nothing() -> None:
    spectra = np.zeros((3, RINGS, FREQUENCIES), np.complex64)
    assert len(find_likenesses(spectra)) == 0
    assert np.all(signature(np.full((64, 64), 9, np.uint8)) == 0)


def test_a_set_of_one_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.audit.likeness.MOST_PAIRS", 10)
    with pytest.raises(TrainingError, match=r"alike.*--similarity"):
        pairs(*[film(1)] * 6)


def test_the_digest_is_of_pixels_and_not_of_bytes(tmp_path: Path) -> None:
    film(1).save(tmp_path / "a.png")
    film(1).convert("RGB").save(tmp_path / "b.png", compress_level=0, dpi=(72, 72))
    film(1).resize((120, 480)).save(tmp_path / "c.png")
    a, b, c = (read_film(tmp_path / f"{name}.png") for name in "abc")
    assert a.digest == b.digest
    assert a.digest != c.digest
    assert (c.width, c.height) == (120, 480)


def test_sixteen_bits_count_in_the_digest(tmp_path: Path) -> None:
    levels = np.asarray(film(1)).astype(np.uint16) * 256
    Image.fromarray(levels).save(tmp_path / "a.png")
    Image.fromarray(levels + 1).save(tmp_path / "b.png")
    a, b = (read_film(tmp_path / f"{name}.png") for name in "ab")
    assert a.digest != b.digest
    assert a.thumbnail is not None
    assert a.thumbnail.max() > 100


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "corrupt"),
        (b"not an image", "corrupt"),
        (b"\xff\xd8\xff\xe0", "corrupt"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "corrupt"),
        (None, "missing"),
    ],
)
def test_what_is_no_image_has_a_fault(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    found = read_film(path)
    assert found.fault == fault
    assert found.digest == ""
    assert found.detail


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_file_gives_what_it_holds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    film(1).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    found = read_film(path)
    assert found.fault == "truncated"
    assert found.thumbnail is not None


def test_a_blank_film_has_nothing_to_compare(tmp_path: Path) -> None:
    Image.new("L", (80, 80), 7).save(tmp_path / "blank.png")
    found = read_film(tmp_path / "blank.png")
    assert found.fault == "blank"
    assert found.digest
    assert found.thumbnail is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2000), st.integers(0, 255))
def test_no_file_stops_an_audit(junk: bytes, at: int, value: int) -> None:
    import tempfile

    buffer = io.BytesIO()
    film(1, (40, 40)).save(buffer, "JPEG")
    broken = bytearray(buffer.getvalue())
    broken[at % len(broken)] = value
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("a.jpg", junk), ("b.jpg", bytes(broken)), ("c.dcm", junk)):
            path = Path(folder) / name
            path.write_bytes(content)
            found = read_film(path)
            assert bool(found.digest) != (found.fault in ("corrupt", "missing"))
