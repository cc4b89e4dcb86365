from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import class_folders, film
from PIL import Image, ImageFile

from models.dataset import Columns, digest, leaks, read_pixels, read_split, unit_range
from models.image_file import read_grey
from screening.errors import TrainingError

HEADER = "path,label,split,group,hardware"


def write_set(folder: Path, *rows: str, header: str = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        Image.new("L", (12, 10), 50).save(folder / row.split(",")[0])
    return folder


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    return write_set(
        tmp_path / "set",
        "a.png,fractured,train,g1,0",
        "b.png,not_fractured,train,g2,1",
        "c.png,fractured,val,g3,0",
    )


def test_a_split_is_read_in_the_order_of_the_table(small_set: Path) -> None:
    (small_set / "boxes.csv").write_text(
        "path,x_center,y_center,width,height\na.png,0.5,0.4,0.2,0.1\na.png,0.1,0.1,0.1,0.1\n"
    )
    first, second = read_split(small_set, "train")
    assert (first.fractured, first.group, second.fractured) == (1, "g1", 0)
    assert len(first.boxes) == 2
    assert first.boxes[0].contains(0.41, 0.36)
    assert not first.boxes[0].contains(0.41, 0.46)
    assert second.attributes == {"hardware": "1"}


def test_a_set_that_is_not_there_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere is not there: give a folder"):
        read_split(tmp_path / "nowhere", "train")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path, "a.png,train", header="path,split")
    with pytest.raises(TrainingError, match="lacks the columns label"):
        read_split(folder, "train")


def test_a_set_without_splits_says_so(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path, "a.png,fractured", "b.png,not_fractured", "c.png,normal", header="path,label"
    )
    with pytest.raises(TrainingError, match="names no splits"):
        read_split(folder, "train")


def test_a_table_apart_from_its_images_with_columns_of_other_names(small_set: Path) -> None:
    table = small_set.parent / "elsewhere" / "list.csv"
    table.parent.mkdir()
    table.write_text("file,truth,part\na.png,1,training\nb.png,No,training\n")
    columns = Columns(path="file", label="truth", split="part")
    first, second = read_split(table, "train", root=small_set, columns=columns)
    assert (first.path, first.fractured) == (small_set / "a.png", 1)
    assert (second.name, second.fractured, second.group) == ("b.png", 0, "")


def test_one_path_under_two_labels_is_refused(small_set: Path) -> None:
    with (small_set / "index.csv").open("a") as file:
        file.write("a.png,not_fractured,test,g9,0\n")
    with pytest.raises(TrainingError, match=r"labels a\.png both fractured and not_fractured"):
        read_split(small_set, "train")


def test_one_path_twice_under_one_label_is_no_error(small_set: Path) -> None:
    with (small_set / "index.csv").open("a") as file:
        file.write("a.png,fractured,train,g1,0\n")
    assert len(read_split(small_set, "train")) == 3


def test_a_split_with_one_class_is_refused(small_set: Path) -> None:
    with pytest.raises(TrainingError, match="not_fractured"):
        read_split(small_set, "val")


def test_an_empty_split_is_refused(small_set: Path) -> None:
    with pytest.raises(TrainingError, match="'test'"):
        read_split(small_set, "test")


def test_a_missing_image_is_named_and_counted(small_set: Path) -> None:
    (small_set / "b.png").unlink()
    with pytest.raises(TrainingError, match=r"1 images.*b\.png"):
        read_split(small_set, "train")


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path, "a.png,broken,train,g1,0")
    with pytest.raises(TrainingError, match="'broken'"):
        read_split(folder, "train")


def test_a_box_that_is_no_number_is_refused(small_set: Path) -> None:
    (small_set / "boxes.csv").write_text("path,x_center,y_center,width,height\na.png,x,0,0,0\n")
    with pytest.raises(TrainingError, match=r"boxes\.csv.*a\.png"):
        read_split(small_set, "train")


def test_a_truncated_jpeg_gives_what_it_holds(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, "JPEG", quality=95)
    path = tmp_path / "cut.jpg"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    pixels = read_pixels(path)
    assert pixels.shape == (200, 200)
    assert np.abs(pixels[:40].astype(int) - ramp[:40]).mean() < 3
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"bad\.jpg"):
        read_pixels(path)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    ramp = (np.arange(4096, dtype=np.uint16) * 16).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    grey = read_grey(tmp_path / "deep.png")
    assert np.array_equal(grey, ramp)
    assert unit_range(grey).max() == pytest.approx(4095 * 16 / 65535)
    assert np.abs(read_pixels(tmp_path / "deep.png") - ramp / 257).max() <= 0.51


def test_a_leak_is_a_copy_of_the_pixels_whatever_the_file(tmp_path: Path) -> None:
    folder = class_folders(tmp_path, each=2, splits=("train", "test"))
    Image.open(folder / "train/fractured/0.png").save(
        folder / "test/fractured/1.png", compress_level=1
    )
    (folder / "test/not_fractured/0.png").write_bytes(b"no image")
    train, test = (read_split(folder, split) for split in ("train", "test"))
    assert [row.name for row in leaks(train, test)] == ["test/fractured/1.png"]
    assert leaks(test, []) == []
    film(77).save(folder / "test/fractured/1.png")
    assert leaks(train, test) == []


def test_the_digest_changes_with_a_label_and_with_a_pixel(small_set: Path) -> None:
    rows = read_split(small_set, "train")
    before = digest(rows)
    assert digest(rows) == before
    Image.new("L", (12, 10), 51).save(small_set / "a.png")
    assert digest(rows) != before


def test_the_real_set_reads_whole(test_data: Path) -> None:
    rows = read_split(test_data / "fracatlas", "val")
    assert sum(row.fractured for row in rows) == 99
    assert len(rows) == 588
    assert all(bool(row.boxes) == bool(row.fractured) for row in rows)
    cut = [row for row in rows if row.attributes["truncated"] == "1"]
    assert cut
    for row in cut:
        assert read_pixels(row.path).size > 0
