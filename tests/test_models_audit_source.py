from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sets import class_folders, film

from models.audit.source import read_source
from models.audit.table import Columns, read_table
from models.labels import label_of, split_of
from screening.errors import TrainingError


def test_class_folders_give_labels_and_no_split(tmp_path: Path) -> None:
    source = read_source([class_folders(tmp_path / "set", each=2)])
    assert Counter((x.label, x.split) for x in source.entries) == {
        ("fractured", ""): 2,
        ("not_fractured", ""): 2,
    }
    assert source.entries[0].name == "fractured/0.png"


@pytest.mark.parametrize(
    "layout",
    ["{split}/{label}", "{label}/{split}", "{split}/deep/{label}/deeper"],
)
def test_split_folders_may_stand_above_or_below(tmp_path: Path, layout: str) -> None:
    for split in ("train", "Validation", "test"):
        for label in ("Fractured", "Not Fractured"):
            folder = tmp_path / layout.format(split=split, label=label)
            folder.mkdir(parents=True)
            film(1).save(folder / "a.jpg")
    found = {(x.split, x.label) for x in read_source([tmp_path]).entries}
    assert len(found) == 6
    assert ("val", "not_fractured") in found


def test_several_folders_make_one_set(tmp_path: Path) -> None:
    class_folders(tmp_path, splits=("train", "test"))
    source = read_source([tmp_path / "train", tmp_path / "test"])
    assert Counter(x.split for x in source.entries) == {"train": 6, "test": 6}


def test_files_that_are_no_images_are_counted(tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "fractured/notes.txt").write_text("not an image")
    source = read_source([tmp_path])
    assert [path.name for path in source.others] == ["notes.txt"]
    assert len(source.entries) == 6


def test_an_empty_class_is_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "val/not_fractured").mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"val/not_fractured holds no image.*fill it"):
        read_source([tmp_path])


def test_a_missing_class_is_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path)
    for path in (tmp_path / "not_fractured").iterdir():
        path.unlink()
    (tmp_path / "not_fractured").rmdir()
    with pytest.raises(TrainingError, match="no image is labelled not_fractured"):
        read_source([tmp_path])


def test_an_image_outside_the_classes_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path)
    film(1).save(tmp_path / "stray.png")
    with pytest.raises(TrainingError, match=r"stray\.png lies in no class folder"):
        read_source([tmp_path])


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no image \(JPEG, PNG or DICOM\)"):
        read_source([tmp_path])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere is not there"):
        read_source([tmp_path / "nowhere"])


def test_a_name_that_no_table_can_hold_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path)
    film(1).save(os.fsdecode(os.fsencode(tmp_path / "fractured") + b"/\xff.png"))
    with pytest.raises(TrainingError, match=r"\\udcff\.png.*rename the file"):
        read_source([tmp_path])


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A set with a folder that its reader may not list; root becomes nobody for it."""
    with tempfile.TemporaryDirectory() as name:
        root = class_folders(Path(name))
        root.chmod(0o755)
        (root / "fractured").chmod(0)
        nobody = os.geteuid() == 0
        if nobody:
            os.seteuid(65534)
        try:
            yield root
        finally:
            if nobody:
                os.seteuid(0)
            (root / "fractured").chmod(0o755)


def test_an_unreadable_folder_is_refused_by_name(locked_folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"fractured cannot be read \(Permission denied\)"):
        read_source([locked_folder])


def write_table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_gives_split_group_and_the_rest(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "set.csv", "path,label,split,group,age", "a.png,Normal,Valid,g1,40"
    )
    (entry,) = read_table(table)
    assert (entry.label, entry.split, entry.group) == ("not_fractured", "val", "g1")
    assert entry.attributes == {"age": "40"}
    assert entry.path == tmp_path / "a.png"
    assert read_table(table, root=Path("/x"))[0].path == Path("/x/a.png")


def test_a_split_column_of_another_name_is_found(tmp_path: Path) -> None:
    table = write_table(tmp_path / "set.csv", "path,label,kaggle_split", "a,normal,test")
    assert read_table(table)[0].split == "test"


def test_two_possible_split_columns_need_a_choice(tmp_path: Path) -> None:
    table = write_table(tmp_path / "set.csv", "path,label,a_split,b_split", "a,normal,test,train")
    with pytest.raises(TrainingError, match="--split-column"):
        read_table(table)
    assert read_table(table, columns=Columns(split="b_split"))[0].split == "train"
    with pytest.raises(TrainingError, match="no column c"):
        read_table(table, columns=Columns(split="c"))


def test_fields_beyond_the_header_are_left_out(tmp_path: Path) -> None:
    table = write_table(tmp_path / "set.csv", "path,label", "a.png,1,more,and more", "b.png,0")
    assert [(x.label, x.split, x.attributes) for x in read_table(table)] == [
        ("fractured", "", {}),
        ("not_fractured", "", {}),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["label", "normal"], "lacks the columns path"),
        (["path,label"], "has no rows"),
        (["path,label", "a.png,broken"], r"line 2, labels a\.png as 'broken'"),
        (["path,label", ",normal"], "line 2, has no path"),
        (["path,label", "a.png"], "line 2, labels"),
        (["path,label,label", "a.png,1,0"], "several columns named label"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read_table(write_table(tmp_path / "set.csv", *lines))


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(TrainingError, match="cannot be read as a CSV"):
        read_source([tmp_path / "set.csv"])


@given(st.text())
def test_any_word_is_a_label_or_none(word: str) -> None:
    assert label_of(word) in {"fractured", "not_fractured", None}
    assert split_of(word) in {"train", "val", "test", None}
    assert label_of(f" {word.upper()} ") == label_of(word.upper())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.csv"
        path.write_bytes(content)
        with contextlib.suppress(TrainingError):
            assert read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "path;label\na.png;fractured\nb.png;normal\n",
        "path\tlabel\na.png\t1\nb.png\t0\n",
        "Path, LABEL \n a.png, 1\nb.png , 0\n",
        "\ufeffpath,label\r\na.png,Fractured\r\nb.png,not fractured\r\n",
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, text: str) -> None:
    table = tmp_path / "set.csv"
    table.write_bytes(text.encode())
    entries = read_table(table)
    assert [(entry.name, entry.label) for entry in entries] == [
        ("a.png", "fractured"),
        ("b.png", "not_fractured"),
    ]
